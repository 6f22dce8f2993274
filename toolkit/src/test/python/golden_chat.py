"""Makes toolkit/src/test/resources/text/chat.json: chat templates rendered by transformers.

Run it anywhere:
    python -m venv env && env/bin/pip install "transformers==5.17.0" "jinja2==3.1.6"
    env/bin/python toolkit/src/test/python/golden_chat.py
The templates beside the output were written for these tests, in the forms that families of models use. Each is
rendered over every conversation, with and without generation prompt, tools and documents; where transformers raises,
the file holds the message. golden_jinja.py holds the language itself, construct by construct.
"""

import json
from pathlib import Path

from jinja2.exceptions import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

import golden_jinja

OUT = Path(__file__).resolve().parents[1] / "resources" / "text"


def turn(role, content, **more):
    return {"role": role, "content": content, **more}


def call(name, arguments, id=None):
    out = {"type": "function", "function": {"name": name, "arguments": arguments}}
    if id is not None:
        out["id"] = id
    return out


def function(name, description, **properties):
    parameters = {"type": "object", "properties": properties, "required": list(properties)[:1]}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TOOLS = [
    function("weather", "Says how it is outside.\nFor a day.", place={"type": "string", "description": "a \"town\""},
             day={"type": "integer", "enum": [1, 2, -3]}, sure={"type": "number", "default": 0.5}),
    function("code_interpreter", "Runs <code> & 'more'.", text={"description": "größe 中文 \U0001F600"}),
    function("nothing", "Has no parameters"),
]
DOCUMENTS = [{"title": "on copper wires", "text": "Copper\nconducts."}, {"title": "empty", "text": ""}]

CONVERSATIONS = {
    "question": [turn("user", "What is copper?")],
    "system": [turn("system", " Be exact.\n"), turn("user", "  Hi  \n")],
    "turns": [turn("user", "One?"), turn("assistant", " Two. "), turn("user", "Three?"), turn("assistant", "Four.")],
    "system_turns": [turn("system", "A\nB"), turn("user", "1"), turn("assistant", "2"), turn("user", "3")],
    "two_systems": [turn("system", "first."), turn("system", "second."), turn("user", "?")],
    "not_alternating": [turn("user", "a"), turn("user", "b")],
    "assistant_first": [turn("assistant", "a"), turn("user", "b")],
    "unknown_role": [turn("user", "a"), turn("critic", "b")],
    "unicode": [turn("user", "\u00e9\u0301 \U0001F469\u200D\U0001F4BB \u4e2d\u6587 \u2028 <&>\"'\\ \t {{ x }} {% if %}"),
                turn("assistant", "\u00a0\u3000nb\u2003")],
    "blank": [turn("user", ""), turn("assistant", "\n\n"), turn("user", "   ")],
    "think": [turn("user", "a"), turn("assistant", "<think>\nhm\n</think>\n\nb"), turn("user", "c"),
              turn("assistant", "<think>\nso\n</think>\n\nd")],
    "reasoning": [turn("user", "a"), turn("assistant", "b", reasoning_content="\nbecause\n")],
    "one_call": [turn("user", "Weather in Ulm?"),
                 turn("assistant", "", tool_calls=[call("weather", {"place": "Ulm", "day": 1}, "abcdefghi")]),
                 turn("tool", "{\"sky\": \"grey\"}", tool_call_id="abcdefghi"), turn("assistant", "Grey."),
                 turn("user", "Thanks")],
    "two_calls": [turn("system", "Use tools."), turn("user", "Ulm and Bern?"),
                  turn("assistant", "Let me see.", tool_calls=[call("weather", {"place": "Ulm"}, "abcdefghi"),
                                                               call("weather", {"place": "Bern", "sure": 1.0,
                                                                                "none": None, "list": [True, []]},
                                                                    "123456789")]),
                  turn("tool", "grey"), turn("tool", "blue", tool_call_id="123456789")],
    "call_without_content": [turn("user", "x"), turn("assistant", None, tool_calls=[call("nothing", {}, "short")]),
                             turn("tool", {"value": 1e16, "ok": False})],
    "text_arguments": [turn("user", "x"), turn("assistant", "", tool_calls=[call("nothing", "{\"a\": 1}")]),
                       turn("tool", ["a", 2, None, 0.1])],
    "answer_last": [turn("user", "x"), turn("tool", "<tool_response>"), turn("user", "<tool_response>y</tool_response>")],
    "parts": [turn("system", [{"type": "text", "text": " rules "}]),
              turn("user", [{"type": "image"}, {"type": "text", "text": " what is it? "}])],
    "number_content": [turn("user", 7)],
    "developer": [turn("developer", "Dev."), turn("user", "u")],
    "long": [turn("user" if i % 2 == 0 else "assistant", f"turn {i} " + "word " * (i % 5)) for i in range(60)],
}
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
SETTINGS = [
    {"add_generation_prompt": False},
    {"add_generation_prompt": True},
    {"add_generation_prompt": True, "tools": TOOLS, "date_string": "1 Jan 2026", "enable_thinking": False},
    {"add_generation_prompt": False, "documents": DOCUMENTS, "custom_tools": TOOLS[:1], "date_string": "2 Jan 2026"},
]


def render(template, conversation, settings):
    try:
        texts, _ = render_jinja_template([conversation], chat_template=template, **TOKENS, **settings)
        return {"text": texts[0]}
    except TemplateError as e:
        return {"error": e.message}
    except (TypeError, ValueError, AttributeError) as e:
        return {"error": None, "python": f"{type(e).__name__}: {e}"}


def main():
    cases = []
    for file in sorted((OUT / "chat").glob("*.jinja")):
        for name, conversation in CONVERSATIONS.items():
            for index, settings in enumerate(SETTINGS):
                if "strftime_now" in file.read_text() and "date_string" not in settings:
                    settings = {**settings, "date_string": "today"}
                expected = render(file.read_text(), conversation, settings)
                cases.append({"template": file.name, "conversation": name, "settings": index, **expected})
    with open(OUT / "chat.json", "w", encoding="utf-8") as out:
        json.dump({"conversations": CONVERSATIONS, "tokens": TOKENS, "settings": SETTINGS, "cases": cases}, out,
                  ensure_ascii=True, indent=1)
        out.write("\n")
    failed = sum("error" in case for case in cases)
    print(f"{len(cases)} renderings, {failed} of them errors")
    golden_jinja.main(OUT / "jinja.json")


if __name__ == "__main__":
    main()
