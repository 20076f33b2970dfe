#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

namespace pollflow::perf {

// A UDP socket on loopback that counts what arrives and keeps next to nothing of it.
//
//   send(2) ──> receive buffer, some datagrams ──> read and counted by total()
//          └──> full: dropped, and counted by the kernel (SO_MEMINFO)
//
// Nobody reads while a sender is timed, so that no other thread shares its cache lines or its CPU.
// What is counted is exact. Failure mode: none; a datagram that never arrives is missing in
// total().
class CountingSink {
 public:
  CountingSink() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    const int smallest = 1;  // the kernel takes its own minimum
    setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest));
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof(address_);
    if (bind(socket_, reinterpret_cast<const sockaddr*>(&address_), bytes) != 0 ||
        getsockname(socket_, reinterpret_cast<sockaddr*>(&address_), &bytes) != 0)
      throw std::runtime_error(fmt::format("no UDP socket on loopback: {}", std::strerror(errno)));
  }
  CountingSink(const CountingSink&) = delete;
  CountingSink& operator=(const CountingSink&) = delete;
  ~CountingSink() { close(socket_); }

  [[nodiscard]] std::string port() const { return fmt::to_string(ntohs(address_.sin_port)); }
  [[nodiscard]] const sockaddr_in& address() const noexcept { return address_; }

  // Datagrams that have come since it was made, kept or dropped.
  uint64_t total() {
    std::array<uint8_t, 2048> datagram;
    while (recv(socket_, datagram.data(), datagram.size(), 0) >= 0)
      ++read_;
    std::array<uint32_t, SK_MEMINFO_VARS> memory{};
    socklen_t bytes = sizeof(memory);
    if (getsockopt(socket_, SOL_SOCKET, SO_MEMINFO, memory.data(), &bytes) != 0)
      throw std::runtime_error(fmt::format("no SO_MEMINFO: {}", std::strerror(errno)));
    // 32 bits, which wrap in a long run.
    dropped_ += memory[SK_MEMINFO_DROPS] - static_cast<uint32_t>(dropped_);
    return read_ + dropped_;
  }

 private:
  int socket_;
  sockaddr_in address_{};
  uint64_t read_ = 0;
  uint64_t dropped_ = 0;
};

}  // namespace pollflow::perf
