"""The fuzzer over types and files: whatever it is given, the project refuses in order or measures rightly."""
