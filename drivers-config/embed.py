"""Writes the presets given as one C++ header: they are part of the program, so it finds them anywhere.

    embed.py OUTPUT PRESET.conf...
"""

import pathlib
import sys

HEAD = """// Made by drivers-config/embed.py.
#pragma once

#include <array>
#include <string_view>

namespace pollflow::port {

struct BuiltInPreset {
  std::string_view driver;
  std::string_view text;
};

inline constexpr std::array built_in_presets = {
"""


def without_comments(text):
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def main(output, presets):
    entries = ['    BuiltInPreset{"%s", R"conf(%s)conf"},\n' % (preset.stem, without_comments(preset.read_text()))
               for preset in sorted(map(pathlib.Path, presets))]
    pathlib.Path(output).write_text(HEAD + "".join(entries) + "};\n\n}  // namespace pollflow::port\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
