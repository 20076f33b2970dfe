#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

namespace pollflow::test {

using Bytes = std::vector<uint8_t>;

// A UDP socket on the loopback interface, on a port that the kernel chooses unless one is given.
class Listener {
 public:
  explicit Listener(int family = AF_INET, uint16_t port = 0)
      : socket_(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_storage address = loopback(family, port);
    socklen_t length = sizeof(address);
    usable_ = bind(socket_, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
              getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &length) == 0;
    // sin_port and sin6_port share their place.
    port_ = ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { close(socket_); }

  [[nodiscard]] bool usable() const { return usable_; }
  [[nodiscard]] uint16_t port() const { return port_; }

  // The next datagram; empty when none comes.
  [[nodiscard]] Bytes receive() const {
    pollfd wait = {.fd = socket_, .events = POLLIN, .revents = 0};
    if (poll(&wait, 1, 2000) != 1) return {};
    Bytes bytes(65536);
    const ssize_t length = recv(socket_, bytes.data(), bytes.size(), 0);
    bytes.resize(length < 0 ? 0 : static_cast<size_t>(length));
    return bytes;
  }
  [[nodiscard]] bool silent() const {
    pollfd wait = {.fd = socket_, .events = POLLIN, .revents = 0};
    return poll(&wait, 1, 0) == 0;
  }

  // All that has come.
  [[nodiscard]] std::vector<Bytes> datagrams() const {
    std::vector<Bytes> all;
    while (!silent())
      all.push_back(receive());
    return all;
  }

 private:
  static sockaddr_storage loopback(int family, uint16_t port) {
    sockaddr_storage address{};
    if (family == AF_INET) {
      auto* ipv4 = reinterpret_cast<sockaddr_in*>(&address);
      ipv4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      ipv4->sin_port = htons(port);
    } else {
      auto* ipv6 = reinterpret_cast<sockaddr_in6*>(&address);
      ipv6->sin6_addr = in6addr_loopback;
      ipv6->sin6_port = htons(port);
    }
    address.ss_family = static_cast<sa_family_t>(family);
    return address;
  }

  int socket_;
  uint16_t port_ = 0;
  bool usable_ = false;
};

}  // namespace pollflow::test
