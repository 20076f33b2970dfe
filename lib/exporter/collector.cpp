#include "exporter/collector.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "failure.hpp"

namespace pollflow::exporter {
namespace {

constexpr int refusals_heard_max = 3;  // for one call

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

// A kernel that does not know UDP_SEGMENT would pass over it and send a row as one datagram.
bool knows_rows(int socket) noexcept {
  int segment_bytes = 0;
  socklen_t bytes = sizeof(segment_bytes);
  return getsockopt(socket, SOL_UDP, UDP_SEGMENT, &segment_bytes, &bytes) == 0;
}

bool may_pass(int error) noexcept {
  return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS || error == EINTR;
}

// No checksums by the device, IPsec on the way, or a datagram that must be fragmented (EINVAL in
// older kernels).
bool refuses_rows(int error) noexcept {
  return error == EINVAL || error == EIO || error == ENOPROTOOPT || error == EMSGSIZE;
}

}  // namespace

Collector::Collector(const CollectorAddress& address) : name_(address.name()) {
  const AddressList list = resolve(address);
  int error = 0;
  for (const addrinfo* at = list.get(); at != nullptr && socket_ < 0; at = at->ai_next) {
    socket_ = socket(at->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket_ >= 0 && connect(socket_, at->ai_addr, at->ai_addrlen) == 0) {
      takes_rows_ = knows_rows(socket_);
      return;
    }
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
      takes_rows_(other.takes_rows_),
      latest_records_(other.latest_records_),
      counters_(other.counters_) {}

Collector::~Collector() {
  if (socket_ >= 0) close(socket_);
}

// The kernel answers a send with the ICMP error that an earlier datagram met, without sending:
// having heard it, offer again. More may have come in meanwhile.
template <typename Offer>
bool Collector::heard_out(Offer offer) noexcept {
  bool taken = offer();
  for (int tries = 0; !taken && errno == ECONNREFUSED && tries < refusals_heard_max; ++tries) {
    note_refused();
    taken = offer();
  }
  return taken;
}

Collector::Attempt Collector::send(const DatagramRow& row) noexcept {
  const size_t count = row.count();
  if (takes_rows_ && count > 1) {
    if (heard_out([&] { return offer_row(row); })) {
      note_sent(count, row.records);
      return {Outcome::sent, count, row.records};
    }
    if (may_pass(errno)) {
      last_errno_ = errno;
      return {Outcome::would_block, count, row.records};
    }
    // Nothing was taken. Whether it is for the row or for the datagrams, each has its own outcome.
    takes_rows_ = !refuses_rows(errno);
  }
  const uint64_t records = count > 1 ? row.datagram_records : row.records;
  const auto first = row.bytes.first(std::min(row.bytes.size(), row.datagram_bytes));
  return {send(first, records), 1, records};
}

Collector::Outcome Collector::send(std::span<const uint8_t> datagram, uint64_t records) noexcept {
  if (heard_out([&] { return ::send(socket_, datagram.data(), datagram.size(), 0) >= 0; })) {
    note_sent(1, records);
    return Outcome::sent;
  }
  last_errno_ = errno;
  if (may_pass(errno)) return Outcome::would_block;
  give_up(records);
  return Outcome::failed;
}

bool Collector::offer_row(const DatagramRow& row) noexcept {
  const auto segment_bytes = static_cast<uint16_t>(row.datagram_bytes);
  alignas(cmsghdr) std::array<uint8_t, CMSG_SPACE(sizeof(segment_bytes))> control{};
  iovec bytes = {.iov_base = const_cast<uint8_t*>(row.bytes.data()), .iov_len = row.bytes.size()};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* option = CMSG_FIRSTHDR(&message);
  option->cmsg_level = SOL_UDP;
  option->cmsg_type = UDP_SEGMENT;
  option->cmsg_len = CMSG_LEN(sizeof(segment_bytes));
  std::memcpy(CMSG_DATA(option), &segment_bytes, sizeof(segment_bytes));
  return sendmsg(socket_, &message, 0) >= 0;
}

void Collector::note_sent(size_t datagrams, uint64_t records) noexcept {
  stalled_ = false;
  counters_.datagrams_sent += datagrams;
  counters_.records_sent += records;
  latest_records_ = records;
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

void Collector::give_up(uint64_t records, size_t datagrams) noexcept {
  stalled_ = true;
  counters_.datagrams_failed += datagrams;
  counters_.records_failed += records;
}

}  // namespace pollflow::exporter
