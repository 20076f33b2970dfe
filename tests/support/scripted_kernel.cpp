#include "support/scripted_kernel.hpp"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

using namespace pollflow::test;

namespace {

// True when the script answers, with errno set.
bool answered(std::deque<int>& script) {
  if (script.empty()) return false;
  errno = script.front();
  script.pop_front();
  return errno != 0;
}

std::span<const uint8_t> span_of(const void* bytes, size_t length) {
  return {static_cast<const uint8_t*>(bytes), length};
}

// What UDP_SEGMENT asks for, the only control message that is used.
size_t segment_bytes(const msghdr* message) {
  uint16_t bytes = 0;
  std::memcpy(&bytes, CMSG_DATA(CMSG_FIRSTHDR(message)), sizeof(bytes));
  return bytes;
}

}  // namespace

// These take the place of the C library's.
extern "C" ssize_t send(int socket, const void* bytes, size_t length, int flags) {
  if (kernel_in_place) return kernel_in_place(socket, span_of(bytes, length), length);
  if (answered(scripted_sends)) return -1;
  ++sends_passed_on;
  return sendto(socket, bytes, length, flags, nullptr, 0);
}

extern "C" ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  if (kernel_in_place) {
    const iovec& row = message->msg_iov[0];
    return kernel_in_place(socket, span_of(row.iov_base, row.iov_len), segment_bytes(message));
  }
  if (answered(scripted_rows)) return -1;
  ++rows_passed_on;
  return syscall(SYS_sendmsg, socket, message, flags);
}
