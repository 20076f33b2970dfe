#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace pollflow::app {

// Opens /dev/null in place of standard streams that the caller closed: otherwise the first file
// opened would take their number, and what is meant for people would be written into it.
void fill_closed_streams();

// Text from outside as one line that is safe on a terminal: control characters become \xNN, and
// what is very long is cut.
std::string one_line(std::string_view text);

// Text for people on standard error. When that takes no more, nobody reads it: no reason to stop.
void print_if_taken(std::string_view text) noexcept;
// A sentence, behind pollflow's name, likewise.
void say(std::string_view sentence);

// Prints to people on `stream`; throws Failure when it does not take it.
void print_to_people(FILE* stream, std::string_view text);

}  // namespace pollflow::app
