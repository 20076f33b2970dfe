#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>

// The kernel's answers to send(2) and sendmsg(2), for programs that link scripted_kernel.cpp: so it
// can be made to refuse, and what is asked of it can be counted.

namespace pollflow::test {

// What the next calls answer instead of sending: errno values; 0 is "send it".
inline std::deque<int> scripted_sends;
inline std::deque<int> scripted_rows;  // of sendmsg, by which rows of datagrams go

// Calls that were not answered from the script.
inline size_t sends_passed_on = 0;
inline size_t rows_passed_on = 0;

// Who answers instead of script and kernel, if there is anybody: bytes to be cut into datagrams of
// this length, but for the last, and what the system calls would return.
using KernelAnswer =
    std::function<ssize_t(int socket, std::span<const uint8_t> bytes, size_t datagram_bytes)>;
inline KernelAnswer kernel_in_place;

}  // namespace pollflow::test
