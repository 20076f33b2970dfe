#include "support/scripted_kernel.hpp"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

using namespace pollflow::test;

namespace {

// True when the script answers, with errno set.
bool answered(std::deque<int>& script) {
  if (script.empty()) return false;
  errno = script.front();
  script.pop_front();
  return errno != 0;
}

}  // namespace

// These take the place of the C library's.
extern "C" ssize_t send(int socket, const void* bytes, size_t length, int flags) {
  if (answered(scripted_sends)) return -1;
  ++sends_passed_on;
  return sendto(socket, bytes, length, flags, nullptr, 0);
}

extern "C" ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  if (answered(scripted_rows)) return -1;
  ++rows_passed_on;
  return syscall(SYS_sendmsg, socket, message, flags);
}
