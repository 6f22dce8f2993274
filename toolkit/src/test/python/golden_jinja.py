"""The template language, construct by construct: what jinja2, set up as transformers does, makes of each line.

golden_chat.py runs this; the output is toolkit/src/test/resources/text/jinja.json.
"""

import datetime
import json

from jinja2.exceptions import TemplateError, TemplateSyntaxError
from transformers.utils.chat_template_utils import _compile_jinja_template

VALUES = {
    "s": "Hello, World", "e": "", "pad": "  x\t\n", "n": 7, "neg": -3, "f": 2.5, "big": 1e16, "small": 1e-5, "one": 1.0,
    "t": True, "no": False, "none_": None, "l": [3, 1, 2], "el": [], "nest": [[1, "a"], [2.0, None]],
    "d": {"a": 1, "b": {"c": "deep"}, "items": "mine"}, "ed": {}, "uni": "\u00e9\U0001F600\u4e2d", "q": "it's \"q\"\\\n",
    "rows": [{"k": "x", "v": 1}, {"k": "y", "v": 2}, {"k": "x", "v": 3}, {"k": "z"}], "html": "<a href='x'>&</a>",
    "words": ["apple", "Banana", "cherry", "apple"], "huge": 12345678901234567890, "mixed": [1, "1", 1.0, True, None],
}

EXPRESSIONS = r"""
1 + 2 * 3 - 4
7 / 2
7 // 2
neg // 2
7 % 4
neg % 4
f % 2
7.5 // 2
2 ** 10
2 ** -1
2 ** 3 ** 2
-2 ** 2
-n
+n
1 / 0
1 % 0
1.0 // 0
n + f
t + 1
s + 1
l + [4]
(1, 2) + (3,)
'ab' * 3
3 * 'ab'
[1] * 2
'%s is %d, %5.2f|%-5s|%05d|%x|%r|%%' % ('a', 3, 2.5, 'b', 42, 255, 'q')
'%s' % s
'%s' % (l,)
'%s %s' % ('a',)
'%(a)s' % d
s ~ n ~ f ~ none_ ~ t ~ l
1 ~ 2
1_000 + 0x1F + 0b11 + 0o17
1e3
1.5e-7
100000000000000000000.0
big
small
one
0.1 + 0.2
1e22
123456789.123
huge
huge + 1
9223372036854775807 + 1
9223372036854775807 * 2
n == 7.0
1 == true
'1' == 1
none == none_
l == [3, 1, 2]
(1, 2) == [1, 2]
d == {'a': 1}
1 < 2 < 3
1 < 3 < 2
'a' < 'b'
[1, 2] < [1, 3]
1 < 'a'
l != [3]
n >= 7 and n <= 7
not t
not not e
t and s
e or 'default'
none_ or no or 0
t and no or 'x'
'ell' in s
'z' not in s
3 in l
'a' in d
1 in d
'x' in none_
1 in 'a'
'b' if t else 'c'
'b' if no else 'c'
'b' if no
('b' if no) is undefined
1 if no else 2 if no else 3
l[0]
l[-1]
l[7]
l[7] is undefined
l['x']
s[0]
s[-1]
s[1:4]
s[::-1]
s[:-2]
s[20:]
s[-3:]
l[1:]
l[:1]
l[::2]
l[-1:-3:-1]
l[::-1]
l[None:None]
l[::0]
uni[1]
uni[::-1]
uni | length
d.a
d['a']
d.b.c
d['b']['c']
d.items
d['items']
d.missing
d.missing is defined
d.missing.deeper
d['missing']['deeper']
missing
missing.x
missing[0]
missing()
missing + 1
missing ~ 'x'
missing == missing2
missing == none
not missing
missing | length
missing | default('dflt')
e | default('dflt')
e | default('dflt', true)
none_ | default('dflt')
none_ | default('dflt', boolean=true)
missing.x | default('dflt')
d.missing | d('x')
s.upper()
s.lower()
'hELLO wORLD'.title()
"they're bill's".title()
'hELLO'.capitalize()
'Hello'.swapcase()
pad.strip() ~ '|'
pad.lstrip() ~ '|'
'|' ~ pad.rstrip()
'xxaxx'.strip('x')
'abcba'.strip('ab')
'xxa'.lstrip('x')
'axx'.rstrip('x')
'\u00a0\u3000a\u2003'.strip() ~ '|'
'a,b,,c'.split(',')
' a  b c '.split()
'a b c'.split(' ', 1)
'a b c'.split(none, 1)
'a b c d'.rsplit(' ', 1)
'a-b-c'.split('-')[-1]
'abc'.split('')
'a\nb\r\nc'.splitlines()
'a\nb\n'.splitlines(true)
'a=b=c'.partition('=')
'a=b=c'.rpartition('=')
'abc'.partition('x')
s.startswith('Hell')
s.startswith(('x', 'Hello'))
s.endswith('World')
s.startswith('ello', 1)
s.replace('l', 'L')
s.replace('l', 'L', 1)
'aaa'.replace('', '-')
s.find('o')
s.find('zz')
s.rfind('o')
s.index('zz')
s.count('l')
s.join(['a', 'b'])
', '.join(l)
', '.join(words)
'42'.zfill(5)
'-42'.zfill(5)
'x'.center(6, '*')
'x'.ljust(3) ~ '|'
'x'.rjust(3, '.')
'abc'.isalpha()
'123'.isdigit()
'a1'.isalnum()
'AB'.isupper()
'ab'.islower()
'  '.isspace()
''.isdigit()
'prefix-x'.removeprefix('prefix-')
'x.txt'.removesuffix('.txt')
'{} and {}'.format('a', 1)
'{1} {0} {k}'.format('a', 'b', k='c')
'{0:>5}|{1:.2f}'.format('a', 2.345)
'a\tb'.expandtabs(4)
s.nomethod()
s.nomethod
s.upper
d.get('a')
d.get('zz')
d.get('zz', 'dflt')
d.get('zz') is none
d.keys() | list
d.values() | list
d.b.items() | list
ed.items() | list
(d | items | list)[0]
missing | items | list
l | items
d.update({'x': 1})
d.pop('a')
l.append(4)
l.pop()
l.index(1)
l.count(1)
[1, 2].index(5)
l.sort()
d.__class__
s.__class__
''.__class__.__mro__
s['__class__']
d | attr('a')
s | attr('upper')
none_.x
none_['x']
n.x
n()
s | upper
s | lower
s | title
'hello wORLD-foo bar_baz (qux)' | title
s | capitalize
s | length
l | length
d | length
d | count
n | length
none_ | length
pad | trim ~ '|'
'xxaxx' | trim('x')
l | join
l | join(', ')
[1, none, true, 2.0] | join('-')
rows | join(', ', attribute='k')
words | join(' ') | upper
none_ | join
s | join('.')
d | join(',')
l | first
l | last
el | first
el | first is undefined
el | last
s | first
s | last
l | list
s | list
d | list
n | list
l | sort
l | sort(reverse=true)
words | sort
words | sort(case_sensitive=true)
rows[:3] | sort(attribute='v', reverse=true) | map(attribute='v') | list
l | reverse | list
s | reverse
words | unique | list
l | max
l | min
el | max
l | sum
rows[:3] | sum(attribute='v')
[0.5, 1] | sum
words | map('upper') | list
words | map('replace', 'a', 'A') | list
rows | map(attribute='v') | list
rows | map(attribute='v', default=0) | list
rows | map(attribute='k') | unique | join(',')
words | map('length') | list
words | map('nofilter') | list
words | map
rows | selectattr('v') | list
rows | selectattr('v', 'defined') | list | length
rows | selectattr('k', 'equalto', 'x') | list
rows | selectattr('k', '==', 'x') | map(attribute='v') | list
rows | rejectattr('k', 'equalto', 'x') | map(attribute='k') | list
rows | selectattr('k', 'in', ['y', 'z']) | map(attribute='k') | list
rows | selectattr('v', 'gt', 1) | list
rows[:3] | selectattr('v', 'gt', 1) | list | length
rows | selectattr('k', 'nosuch') | list
l | select('gt', 1) | list
l | select | list
mixed | select('string') | list
mixed | reject('none') | list
l | reject('odd') | list
l | select('divisibleby', 3) | list
rows | groupby('k') | list
rows | map(attribute='k') | first
nest | map('first') | list
nest | map(attribute=1) | list
nest | map(attribute='0') | list
[d] | map(attribute='b.c') | list
l | batch(2) | list
l | batch(2, 'x') | list
l | slice(2) | list
s | replace('l', 'L')
s | replace('l', 'L', 1)
n | replace('7', '8')
n | string ~ '!'
f | string
l | string
none_ | string
'42' | int
'4.7' | int
'x' | int
'x' | int(5)
'0x1A' | int(base=16)
f | int
neg | int
none_ | int
'2.5' | float
'x' | float
n | float
f | round
2.345 | round(2)
2.5 | round
3.5 | round
-2.5 | round
2.1 | round(method='ceil')
2.9 | round(0, 'floor')
neg | abs
n | round
'a\nb\n\nc' | indent
'a\nb\n\nc' | indent(2)
'a\nb\n\nc' | indent(2, true)
'a\nb\n\nc' | indent(2, true, true)
'a\nb' | indent('> ')
'a\nb' | indent(width=1, first=true)
html | safe
html | escape
html | e
html | forceescape
'<b>x</b> y' | striptags
'a b c' | wordcount
s | truncate(8)
s | truncate(8, true)
'foo bar baz qux' | truncate(9, true, '..', 0)
'abc' | center(9) ~ '|'
'a %s' | format('b')
'%s %s' | format(1, 2)
d | dictsort
{'b': 1, 'A': 2} | dictsort
{'b': 1, 'A': 2} | dictsort(false, 'value', true)
d | tojson
d | tojson(indent=2)
rows | tojson(indent=4)
ed | tojson(indent=2)
el | tojson(indent=2)
{'b': 1, 'a': [1, {}]} | tojson(sort_keys=true)
d | tojson(separators=(',', ':'))
d | tojson(indent=2, separators=(', ', ' : '))
uni | tojson
uni | tojson(ensure_ascii=true)
q | tojson
html | tojson
big | tojson
[one, f, small, big, 1e100, -0.0, 0.1] | tojson
[t, no, none_] | tojson
'\u2028\x7f\x01\b\f' | tojson
{1: 'a', none: 'b', true: 'c', 2.5: 'd'} | tojson
(1, 2) | tojson
missing | tojson
'x' | urlencode
'a b&c/d' | urlencode
n | pprint
s | nofilter
{'a': 1, 'b': [1, 2, {'c': none}]}
{'a': 1}['a']
{}
[]
()
(1,)
(1, 2)
1, 2
[1, 'a', none, true, 1.0, [2], {'k': 'v'}]
['it\'s', 'say "x"', 'both \' and "']
q
[q]
[uni]
['\n\t\x00\u00ad\u200b\xa0']
{'a': {'b': ()}}
nest
mixed
d
{**d}
{'a': 1, 'a': 2}
{1: 2, 1.0: 3, true: 4}
{[1]: 2}
n is number
n is integer
f is float
t is integer
t is boolean
s is string
none_ is none
none_ is not none
d is mapping
l is mapping
l is sequence
s is sequence
d is sequence
n is sequence
l is iterable
s is iterable
n is iterable
missing is iterable
missing is defined
s is defined
missing is undefined
n is odd
n is even
6 is divisibleby 3
6 is divisibleby(4)
n is eq 7
n is equalto 7
n is ne(7)
n is gt 3
n is lt(3)
n is ge 7
n is le 6
n is greaterthan 6
n is lessthan 6
3 is in l
3 is not in [1]
t is true
1 is true
no is false
0 is false
none_ is false
s is lower
'ab' is lower
'AB' is upper
d.a is sameas 1
none_ is sameas none
s is callable
s.upper is callable
range is callable
'upper' is filter
'nofilter' is filter
'odd' is test
html is escaped
n is nosuchtest
not n is odd
n is odd and f is float
-n is odd
range(5) | list
range(2, 10, 3) | list
range(5, 0, -2) | list
range(3)
range(0)
range(3)[1]
range(5) | length
range(1, 3) | join(',')
range(100000000)
range(1, 2, 0)
3 in range(5)
dict(a=1, b=2)
dict(d, z=3) | length
namespace(a=1).a
namespace(d).a
namespace(a=1).b
namespace(a=1)['a']
cycler('a', 'b').next()
joiner(', ')()
raise_exception('plain message')
raise_exception('with ' ~ n)
raise_exception(s | upper)
raise_exception()
strftime_now('%%')
strftime_now('literal')
true
True
False
None
'single'
"double"
'a\nb'
"tab\there"
'\x41\u00e9\U0001F600'
'\q\''
'a' 'b'
'{{ not }}'
"}}"
1.
1.__class__
(n)
((n))
[1, 2,]
{'a': 1,}
f(1)
loop
d.b.c.upper()
words[0].upper()[1:]
(words | first).upper()
words | map('upper') | join(', ') | lower
-1 | abs
-l[0] | abs
not l | length
l | length + 1
l | length == 3 and s
'a' ~ 1 + 2
1 + 2 ~ 'a'
'a' in s and 'b' or 'c'
s if s is string else n
n in l or n == 7
l is sequence and l[0] is number
2 * l | length
rows | map(attribute='k')
rows | selectattr('v', 'defined') | length
words | map('upper') is sequence
'yes' if el | map('upper') else 'no'
'yes' if el | reverse else 'no'
s | upper | nofilter
n | upper
none_ | upper
none_ | trim
none_ | title
missing | upper
missing | trim
l | upper
d | first
d | last
n | first
'%d' % 'x'
'%.3s|' % 'abcdef'
'%c' % 'a'
'%s' % none_
'%5s|%-5s|' % ('a', 'b')
'%+d % d' % (3, 4)
'%e' % 12345.678
'%g' % 0.00001
'%i' % 3.9
'abc' > 'abd'
none_ < 1
l < 1
{} < {}
[[]] == [[]]
s.split(', ') | last
s.split(', ')[1:] | join
(s ~ '!')[-1]
d.b['c'][0]
'{:d}'.format(3)
'{:,}'.format(1234567)
'{!r}'.format('a')
'{}'.format(none_)
"%s" | format("x")
1 if t
(1 if t else 2) + 3
'a' if t else 'b' ~ 'c'
[i for i in l]
lambda: 1
l[0:2][0]
s.encode('utf-8')
l.copy()
d.copy()
none is none
x is defined and x.y
x is defined and x.y or 'safe'
range(3) | map('string') | list
[3, 'a'] | sort
range(10)[2:8:2] | list
words | select('in', ['apple']) | list
words | select('==', 'apple') | list | length
l | map('float') | list
l is sameas l
t == 1.0
huge == 12345678901234567890
huge > 1
-huge
huge // 10
huge % 1000
1.5 == '1.5'
10 ** 20
10 ** 400
2.0 ** 0.5
4 ** 0.5
(-8) ** 0.5
1e308 * 10
-1e308 * 10
1e308 * 10 - 1e308 * 10
'ß'.upper()
'İ'.lower()
'ǆ'.title()
'ﬁ'.upper()
'ΑΣ'.lower()
'\u1e9e'.lower()
uni.find('\u4e2d')
uni.index('\u4e2d')
uni | list
uni | first
uni | upper
uni | reverse
uni | truncate(1, true, '')
uni.center(7, '-')
uni | batch(2) | list
"it's" | wordcount
uni | wordcount
l[true]
s % missing
none_ | min | attr('x')
'a\x85b\u2028c\x0bd\x1ce'.splitlines()
'a\x1fb c'.split()
'\x1fa\x1f'.strip()
'\u200ba\u200b'.strip()
""".strip("\n").split("\n")

TEMPLATES = [
    "plain", "", "\n", "a\n", "a\n\n", "a\r\nb\rc\r\n", " {{ n }} ", "{{n}}{{n}}", "{{ n }}\n", "{{ n }}\n\nx",
    "a {# comment #} b", "a\n{# c #}\nb", "a\n  {# c #}  \nb", "a {#- c -#} b", "{# {{ x }} #}", "{# {% if %} \n #}x",
    "{% if t %}\nyes\n{% endif %}\n", "  {% if t %}\n  yes\n  {% endif %}\n", "x  {% if t %} y {% endif %}  z",
    "a\n  {%+ if t %}x{% endif %}", "a\n {%- if t -%} x {%- endif -%} \nb", "a {{- n -}} b", "a\n\n{{- n }}\n\n{{ n -}}\n\nb",
    "{% if t -%}\n\n  x\n{%- endif %}", "{% if t +%}\nx{% endif %}", "\t{% if t %}\t\nx{% endif %}",
    "{{ 'a' }}  {% if t %}\n b{% endif %}", "  {{ n }}", "\n  {# x #}y", "{{ '\\n' }}{{ '\\\\n' }}",
    "{% raw %}{{ x }}{% if %}{% endraw %}", "a {%- raw -%} {{ x }} {%- endraw -%} b", "{% raw %}\nx\n{% endraw %}\ny",
    "{% if no %}a{% elif n == 7 %}b{% else %}c{% endif %}", "{% if no %}a{% elif no %}b{% else %}c{% endif %}",
    "{% if missing %}a{% else %}b{% endif %}", "{% if el or ed or e or 0 or 0.0 or none %}a{% else %}b{% endif %}",
    "{% for x in l %}{{ x }},{% endfor %}", "{% for x in el %}a{% else %}none{% endfor %}",
    "{% for x in missing %}a{% else %}none{% endfor %}", "{% for x in none_ %}a{% endfor %}", "{% for x in n %}a{% endfor %}",
    "{% for c in uni %}[{{ c }}]{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}",
    "{% for k, v in d.b.items() %}{{ k }}={{ v }}{% endfor %}", "{% for k, v in d | items %}{{ k }}{% endfor %}",
    "{% for a, b in nest %}{{ a }}/{{ b }};{% endfor %}", "{% for a, b in l %}{% endfor %}",
    "{% for (a, b), c in [((1, 2), 3)] %}{{ a }}{{ b }}{{ c }}{% endfor %}", "{% for a, b in ['xy'] %}{{ b }}{% endfor %}",
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}"
    "{{ loop.length }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}",
    "{% for x in l %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }} {% endfor %}",
    "{% for x in l %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }} {% endfor %}",
    "{% for x in l %}{{ loop.cycle('a', 'b') }}{% endfor %}", "{% for x in [1,1,2] %}{{ loop.changed(x) }}{% endfor %}",
    "{% for x in l %}{{ loop.nosuch }}{% endfor %}", "{% for x in l %}{{ loop.nosuch.x }}{% endfor %}",
    "{% for x in l %}{{ loop }}{% endfor %}",
    "{% for x in l if x > 1 %}{{ loop.index }}:{{ x }}{% if not loop.last %},{% endif %}{% endfor %}",
    "{% for x in l if x > 9 %}a{% else %}none{% endfor %}", "{% for x in l if loop.first %}{{ x }}{% endfor %}",
    "{% for x in l %}{% for y in [1,2] %}{{ x * y }}{{ loop.last }}{{ loop.depth }}{% endfor %}{{ loop.index }};{% endfor %}",
    "{% for x in l %}{% set o = loop %}{% for y in [1] %}{{ o.index }}{% endfor %}{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% else %}e{% endfor %}",
    "{% for x in l %}{% break %}{% else %}e{% endfor %}", "{% break %}", "{% if t %}{% continue %}{% endif %}",
    "{% for x in [[1,[2]],[3]] recursive %}{{ x if x is number else loop(x) }}{{ loop.depth }}{% endfor %}",
    "{% for x in l %}{{ loop(x) }}{% endfor %}", "{% for x in l | select('gt', 1) %}{{ x }}{{ loop.last }}{{ loop.length }}{% endfor %}",
    "{% set g = l | select('gt', 1) %}{% for x in g %}{{ x }}{% endfor %}|{% for x in g %}{{ x }}{% endfor %}",
    "{% set x = 1 %}{{ x }}", "{% set x, y = 1, 2 %}{{ x }}{{ y }}", "{% set x, y = [1] %}", "{% set x, y = 1 %}",
    "{% set (x, y) = (1, 2) %}{{ x }}{{ y }}", "{% set x = 1, 2 %}{{ x }}", "{% set d.x = 1 %}", "{% set l[0] = 1 %}",
    "{% set x = 1 %}{% if t %}{% set x = 2 %}{% endif %}{{ x }}", "{% set x = 1 %}{% for i in l %}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}",
    "{% for i in l %}{% set y = i %}{% endfor %}{{ y is defined }}", "{% for i in l %}{% endfor %}{{ i is defined }}",
    "{% for i in l %}{% if loop.first %}{% set y = 5 %}{% endif %}{{ y }},{% endfor %}", "{% set n = n + 1 %}{{ n }}",
    "{% for i in l %}{% set n = n + 1 %}{{ n }},{% endfor %}{{ n }}", "{% if t %}{% set z = 1 %}{% endif %}{{ z }}",
    "{% if no %}{% set z = 1 %}{% endif %}{{ z is defined }}{{ z }}", "{% set ns = namespace(x=0) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace() %}{% set ns.a, ns.b = 1, 2 %}{{ ns.a }}{{ ns.b }}", "{% set ns = namespace(a=1) %}{{ ns }}",
    "{% set ns = namespace(a=1) %}{{ ns.b is defined }}{{ ns.a is defined }}{{ 'a' in ns }}",
    "{% set ns = namespace(l=[]) %}{% for i in l %}{% set ns.l = ns.l + [i] %}{% endfor %}{{ ns.l }}",
    "{% set x %}a{{ n }}{% endset %}[{{ x }}]", "{% set x %}\n  a\n{% endset %}[{{ x }}]", "{% set x | upper %}a{% endset %}{{ x }}",
    "{% set x | trim | replace('a', 'b') %} a {% endset %}[{{ x }}]", "{% set ns = namespace() %}{% set ns.x %}v{% endset %}{{ ns.x }}",
    "{% set x %}{% endset %}{{ x == '' }}{{ x is string }}", "{% set e %}<{% endset %}{{ e | tojson }}{{ e ~ 1 }}",
    "{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }}|{{ m(1, 3) }}|{{ m(b=5, a=4) }}|{{ m() }}",
    "{% macro m(a, b=a) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }}", "{% macro m() %}{{ n }}{% endmacro %}{% set n = 8 %}{{ m() }}",
    "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{% endmacro %}{{ m(b=2) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, a=2) }}", "{% macro m() %} x {% endmacro %}[{{ m() }}]{{ m() | trim }}",
    "{% macro m(n) %}{% if n > 0 %}{{ n }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(3) }}", "{% macro m() %}{{ caller() }}!{% endmacro %}{% call m() %}x{{ n }}{% endcall %}",
    "{% macro m() %}{{ caller(1) }}{{ caller(2) }}{% endmacro %}{% call(x) m() %}<{{ x }}>{% endcall %}", "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}",
    "{% macro m(x) %}{% set x = x + 1 %}{{ x }}{% endmacro %}{% set x = 5 %}{{ m(1) }}{{ x }}", "{% macro m() %}{% set y = 1 %}{% endmacro %}{{ m() }}{{ y is defined }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m }}", "{% macro m(a, b) %}{% endmacro %}{{ m.name }}{{ m.arguments }}", "{{ m() }}{% macro m() %}x{% endmacro %}",
    "{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}", "{% if t %}{% macro m() %}x{% endmacro %}{% endif %}{{ m() }}",
    "{% macro outer() %}{% macro inner(x) %}[{{ x }}]{% endmacro %}{{ inner(1) }}{% endmacro %}{{ outer() }}",
    "{% macro m() %}{% for i in l %}{{ loop.index }}{% endfor %}{% endmacro %}{{ m() }}", "{% for i in l %}{{ m2(i) }}{% endfor %}",
    "{% macro m() %}{{ x }}{% endmacro %}{% for x in l %}{{ m() }}{% endfor %}", "{% macro m() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}{% set x = 2 %}{{ m() }}",
    "{% filter upper %}a{{ s }}{% endfilter %}", "{% filter replace('a', 'b') | upper %}a{% endfilter %}", "{% with %}{% set q = 1 %}{{ q }}{% endwith %}",
    "{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a is defined }}", "{% with n = 1, m = n %}{{ n }}{{ m }}{% endwith %}",
    "{% generation %}x{{ n }}{% endgeneration %}", "{%- generation -%} x {%- endgeneration -%} y", "{% for x in l %}{% generation %}{{ x }}{{ loop.index }}{% set zz = 1 %}{% endgeneration %}{% endfor %}{{ zz is defined }}",
    "{% autoescape true %}{{ html }}{% endautoescape %}", "{% block b %}x{% endblock %}", "{% extends 'x' %}", "{% include 'x' %}", "{% import 'x' as y %}", "{% do l %}", "{% trans %}x{% endtrans %}",
    "{% nosuch %}", "{% endif %}", "{% if t %}", "{% if %}x{% endif %}", "{% for %}{% endfor %}", "{% for x l %}{% endfor %}", "{% for x in l %}{% endif %}", "{{ n", "{% if t", "{# open", "{{ n }",
    "{{ }}", "{{ 1 + }}", "{{ (1 }}", "{{ [1 }}", "{{ {'a' } }}", "{{ 'open }}", "{{ a b }}", "{{ n | }}", "{{ n is }}", "{{ ? }}", "{{ n $ }}", "{{ a.1b }}", "{{ 1 = 1 }}", "{% set 1 = 2 %}", "{% set x %}",
    "{% set x = %}", "{% macro %}{% endmacro %}", "{% raw %}x", "{% elif t %}", "{{ l[1:2:3:4] }}", "{{ f(a=1, 2) }}", "{{ n if }}", "line\n{{ n }}\n{{ n | nofilter }}", "a\nb\n{% if %}", "{% else %}", "{{ '\\' }}",
    "{{ x }}{% set x = 1 %}{{ x }}", "{% if n is defined %}{% set n = 9 %}{% endif %}{{ n }}", "{{ n }}{% for n in [1, 2] %}{{ n }}{% endfor %}{{ n }}",
    "{% set a = [] %}{% for i in l %}{% set a = a + [i] %}{% endfor %}{{ a }}", "{% for i in l %}{% set a = (a or 0) + i %}{{ a }},{% endfor %}",
    "{% for i in l %}{{ a }}{% set a = i %}{% endfor %}", "{% for x in range(3) %}{% for x in range(2) %}{{ x }}{% endfor %}{{ x }}{% endfor %}",
    "{% set messages = [1,2,3] %}{% for m in messages[1:] %}{{ m }}{% endfor %}", "{% for m in rows %}{% if m.k == 'x' and loop.index0 > 0 %}{{ m['v'] }}{% endif %}{% endfor %}",
    "{{ \"a\\\nb\" }}", "{{ 'line\nbreak' }}", "{{ n\n+\n1 }}", "{%if t%}x{%endif%}", "{%-if t-%} x {%-endif-%}", "{{-n-}}", "{{ -n }}", "{{- -n -}} x", "{{ {'a': {'b': 1}}['a']['b'] }}", "{{ {'a': 1} }}}", "{{ '}}' }}{{ \"{{\" }}", "{{ '%}' }}",
    "{% if '%}' %}x{% endif %}", "a{% if t %}\n\n{% endif %}\n\nb", "\n\n{% set x = 1 %}\n\nb", "{{ x }}\n  {%- set x = 1 %}\n  b", "{% set x = 1 -%}\n  b", "  {%- set x = 1 %}b", "{% set x = 1 %}  \nb", "{% set x = 1 %}\r\nb",
    "<{{ html }}>", "{{ s }}{{ none_ }}{{ t }}{{ missing }}{{ f }}{{ l }}{{ d }}", "{% set j = joiner(', ') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}", "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}",
    "{% for r in rows | groupby('k') %}{{ r.grouper }}:{{ r.list | length }};{% endfor %}", "{% for k, g in rows | groupby('k') %}{{ k }}{{ g | map(attribute='v', default='-') | join }};{% endfor %}", "{% for p in l | batch(2) %}{{ p | join }}|{% endfor %}",
    "{% for x in l %}{% if loop.first %}{% set first = x %}{% endif %}{% endfor %}{{ first is defined }}", "{{ ''.join(['a'] * 3) }}", "{% if s %}{{ s }}{% endif %}{% if not s %}x{% endif %}", "{% set x = 'a' if no %}{{ x is defined }}{{ x }}",
    "{% set x = missing %}{{ x is defined }}", "{% set ns = namespace(x=missing) %}{{ ns.x is defined }}", "{% for x in [missing] %}{{ x is defined }}{% endfor %}", "{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}{{ m(missing) }}{{ m(none) }}",
    "{{ dict(a=1).a }}{{ dict([('x', 2)]).x }}", "{{ s.upper().lower().title() }}", "{{ (s | upper).lower() }}", "{{ loop is defined }}", "{% for x in 'ab' %}{{ x }}{% endfor %}", "{{ caller is defined }}{{ varargs is defined }}",
    "{%- for k in {'b': 1, 'a': 2} -%}{{ k }}{%- endfor -%}", "{% for x in l -%}\n  {{ x }}\n{%- endfor %}", "{% for x in l %}\n  {{ x }}\n{% endfor %}end", "{{ 1 if t else }}", "{% if not(t) %}a{% else %}b{% endif %}", "{% if(t) %}a{% endif %}", "{% for x in(l) %}{{ x }}{% endfor %}",
    "{% set is_x = t %}{{ is_x }}{% set not_ = 1 %}{{ not_ }}{% set and1 = 2 %}{{ and1 }}{% set inn = 3 %}{{ inn }}", "{% set é = 1 %}{{ é }}", "{% set _a1 = 1 %}{{ _a1 }}", "{% if n == 7 %}{% endif %}{{ 'after' }}", "{{ n }}{# a #}{# b #}\n{# c #}\nd",
    "{% for i in range(3) %}{% for j in range(3) %}{% if j == 1 %}{% break %}{% endif %}{{ i }}{{ j }} {% endfor %}{% endfor %}", "{% for i in range(4) %}{% if i % 2 %}{% continue %}{% endif %}{% set q = i %}{{ q }}{% endfor %}", "{{ [1, 2, 3] | map('string') | map('upper') | join('') }}",
]


TIMES = [datetime.datetime(2026, 3, 5, 7, 8, 9, 60), datetime.datetime(2024, 12, 31, 23, 59, 0)]
FORMATS = ["%d %b %Y", "%Y-%m-%d", "%A, %B %d, %Y", "%a %e %h %y", "%H:%M:%S", "%I:%M %p", "%j %u %w", "%F %T %R %D",
           "%-d.%-m.%Y", "%c", "%x %X", "%f", "100%%", "%Z%z", "plain"]


def render(template):
    try:
        return {"text": _compile_jinja_template(template).render(**VALUES)}
    except TemplateSyntaxError as e:
        return {"error": "syntax", "python": e.message, "line": e.lineno}
    except TemplateError as e:
        return {"error": type(e).__name__, "python": e.message}
    except Exception as e:  # whatever Python's own operators raise
        return {"error": "python", "python": f"{type(e).__name__}: {e}"}


def main(out):
    templates = ["{{ " + e + " }}" for e in EXPRESSIONS] + TEMPLATES
    cases = [{"template": t, **render(t)} for t in templates]
    cases = [c for c in cases if " at 0x" not in c.get("text", "")]  # an address, new each time
    with open(out, "w", encoding="utf-8") as file:
        times = [{"time": t.isoformat(), "format": f, "text": t.strftime(f)} for t in TIMES for f in FORMATS]
        json.dump({"values": VALUES, "cases": cases, "times": times}, file, ensure_ascii=True, indent=1)
        file.write("\n")
    print(f"{len(cases)} lines of the language, {sum('error' in c for c in cases)} of them errors")
