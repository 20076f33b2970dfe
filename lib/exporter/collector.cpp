#include "exporter/collector.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "failure.hpp"

namespace pollflow::exporter {
namespace {

constexpr int refusals_heard_max = 3;  // for one datagram

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

AddressList resolve(const CollectorAddress& address) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found);
  if (error != 0) {
    throw Failure(
        ExitCode::failed,
        fmt::format("--collector {}: the name {} does not resolve ({}); give an address, or "
                    "mend the name service",
                    address.name(), address.host, gai_strerror(error)));
  }
  return {found, &freeaddrinfo};
}

}  // namespace

Collector::Collector(const CollectorAddress& address) : name_(address.name()) {
  const AddressList list = resolve(address);
  int error = 0;
  for (const addrinfo* at = list.get(); at != nullptr && socket_ < 0; at = at->ai_next) {
    socket_ = socket(at->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket_ >= 0 && connect(socket_, at->ai_addr, at->ai_addrlen) == 0) return;
    error = errno;
    if (socket_ >= 0) close(std::exchange(socket_, -1));
  }
  throw Failure(ExitCode::failed,
                fmt::format("--collector {}: no way there ({}); check address and routes", name_,
                            std::strerror(error)));
}

Collector::Collector(Collector&& other) noexcept
    : name_(std::move(other.name_)),
      socket_(std::exchange(other.socket_, -1)),
      last_errno_(other.last_errno_),
      stalled_(other.stalled_),
      latest_records_(other.latest_records_),
      counters_(other.counters_) {}

Collector::~Collector() {
  if (socket_ >= 0) close(socket_);
}

Collector::Outcome Collector::send(std::span<const uint8_t> datagram, unsigned records) noexcept {
  const auto offer = [&] { return ::send(socket_, datagram.data(), datagram.size(), 0) >= 0; };
  bool taken = offer();
  // The kernel answers a send with the ICMP error that an earlier datagram met, without sending:
  // having heard it, offer again. More may have come in meanwhile.
  for (int tries = 0; !taken && errno == ECONNREFUSED && tries < refusals_heard_max; ++tries) {
    note_refused();
    taken = offer();
  }
  if (taken) {
    stalled_ = false;
    ++counters_.datagrams_sent;
    counters_.records_sent += records;
    latest_records_ = records;
    return Outcome::sent;
  }
  last_errno_ = errno;
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == EINTR) {
    return Outcome::would_block;
  }
  give_up(records);
  return Outcome::failed;
}

void Collector::hear() noexcept {
  int error = 0;
  socklen_t bytes = sizeof(error);
  if (getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &bytes) == 0 && error == ECONNREFUSED)
    note_refused();
}

void Collector::note_refused() noexcept {
  ++counters_.refused;
  counters_.records_refused += std::exchange(latest_records_, 0);
}

void Collector::give_up(unsigned records) noexcept {
  stalled_ = true;
  ++counters_.datagrams_failed;
  counters_.records_failed += records;
}

}  // namespace pollflow::exporter
