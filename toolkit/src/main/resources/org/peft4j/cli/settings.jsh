/set mode peft normal -quiet
/set truncation peft 20000
/set feedback peft
