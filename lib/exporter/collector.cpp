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

constexpr int answers_heard_max = 3;  // for one call

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

// An end of a socket that speaks IPv4, be it an IPv6 socket (::ffff:192.0.2.1); nullopt: it does
// not.
struct Ipv4End {
  uint32_t address;
  uint16_t port;
};
using NameOfEnd = int (*)(int socket, sockaddr* name, socklen_t* bytes);

std::optional<Ipv4End> ipv4_end(int socket, NameOfEnd ask) noexcept {
  sockaddr_storage name{};
  socklen_t bytes = sizeof(name);
  if (ask(socket, reinterpret_cast<sockaddr*>(&name), &bytes) != 0) return std::nullopt;
  if (name.ss_family == AF_INET) {
    const auto& end = reinterpret_cast<const sockaddr_in&>(name);
    return Ipv4End{ntohl(end.sin_addr.s_addr), ntohs(end.sin_port)};
  }
  const auto& end = reinterpret_cast<const sockaddr_in6&>(name);
  if (name.ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&end.sin6_addr)) return std::nullopt;
  uint32_t address = 0;
  std::memcpy(&address, &end.sin6_addr.s6_addr[12], sizeof(address));
  return Ipv4End{ntohl(address), ntohs(end.sin6_port)};
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

// What ICMP may have told of an earlier datagram: its host listens no more or has no UDP, a
// firewall or a router on the way prohibits it. Of all but the first it may also be this host that
// has no way there.
bool may_be_an_answer(int error) noexcept {
  constexpr std::array errors = {ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EHOSTDOWN,
                                 ENONET,       EPROTO,       EACCES,      ENOPROTOOPT};
  return std::ranges::find(errors, error) != errors.end();
}

// No checksums by the device, IPsec on the way, or a datagram that must be fragmented (EINVAL in
// older kernels).
bool refuses_rows(int error) noexcept {
  return error == EINVAL || error == EIO || error == EMSGSIZE;
}

// Datagrams that are too long for the way are fragmented, by this host or a router. The kernel's
// default is to drop one, tell of it in place of taking the next (EMSGSIZE), and believe whoever
// sends such ICMP. ip(7), ipv6(7).
void let_be_fragmented(int socket, int family) noexcept {
  constexpr int policy = IP_PMTUDISC_DONT;
  static_assert(policy == IPV6_PMTUDISC_DONT);
  if (family == AF_INET6)
    setsockopt(socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &policy, sizeof(policy));
  else
    setsockopt(socket, IPPROTO_IP, IP_MTU_DISCOVER, &policy, sizeof(policy));
}

}  // namespace

Collector::Collector(const CollectorAddress& address) : name_(address.name()) {
  const AddressList list = resolve(address);
  int error = 0;
  for (const addrinfo* at = list.get(); at != nullptr && socket_ < 0; at = at->ai_next) {
    socket_ = socket(at->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket_ >= 0) let_be_fragmented(socket_, at->ai_family);
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
      last_answer_(other.last_answer_),
      stalled_(other.stalled_),
      takes_rows_(other.takes_rows_),
      latest_records_(other.latest_records_),
      counters_(other.counters_) {}

Collector::~Collector() {
  if (socket_ >= 0) close(socket_);
}

std::optional<packet::FlowKey> Collector::flow() const noexcept {
  const std::optional<Ipv4End> here = ipv4_end(socket_, getsockname);
  const std::optional<Ipv4End> there = ipv4_end(socket_, getpeername);
  if (!here || !there) return std::nullopt;
  return packet::FlowKey{.src = here->address,
                         .dst = there->address,
                         .src_port = here->port,
                         .dst_port = there->port,
                         .in_if = 0,
                         .protocol = IPPROTO_UDP,
                         .tos = 0};
}

// The kernel answers a send with the ICMP error that an earlier datagram met, once and without
// sending: having heard it, offer again. More may have come in meanwhile. What is answered again
// and again is no answer to an earlier datagram: this one does not get out.
template <typename Offer>
size_t Collector::heard_out(Offer offer) noexcept {
  size_t taken = offer();
  for (int tries = 0; taken == 0 && may_be_an_answer(errno) && tries < answers_heard_max; ++tries) {
    const int answer = errno;
    taken = offer();
    if (taken > 0 || errno != answer || answer == ECONNREFUSED) note_refused(answer);
  }
  return taken;
}

Collector::Attempt Collector::send(const DatagramRow& row) noexcept {
  const size_t count = row.count();
  if (takes_rows_ && count > 1) {
    if (const size_t taken = heard_out([&] { return offer_row(row); }); taken > 0) {
      const uint64_t records = taken == count ? row.records : taken * row.datagram_records;
      note_sent(taken, records);
      return {Outcome::sent, taken, records};
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
  if (heard_out([&] { return offer_one(datagram); }) > 0) {
    note_sent(1, records);
    return Outcome::sent;
  }
  last_errno_ = errno;
  // Refused is never this datagram: more answers to earlier ones came than were heard out.
  if (may_pass(errno) || errno == ECONNREFUSED) return Outcome::would_block;
  give_up(records);
  return Outcome::failed;
}

// How many datagrams were taken; none: errno says why. The kernel takes all of what it is offered
// or nothing; should it take less, what it cut off is not sent.
size_t Collector::offer_one(std::span<const uint8_t> datagram) noexcept {
  const ssize_t bytes = ::send(socket_, datagram.data(), datagram.size(), 0);
  if (bytes == static_cast<ssize_t>(datagram.size())) return 1;
  if (bytes >= 0) errno = EIO;
  return 0;
}

size_t Collector::offer_row(const DatagramRow& row) noexcept {
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
  const ssize_t taken = sendmsg(socket_, &message, 0);
  if (taken < 0) return 0;
  if (taken == static_cast<ssize_t>(row.bytes.size())) return row.count();
  errno = EIO;
  return static_cast<size_t>(taken) / row.datagram_bytes;
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
  if (getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &bytes) == 0 && may_be_an_answer(error))
    note_refused(error);
}

void Collector::note_refused(int answer) noexcept {
  last_answer_ = answer;
  ++counters_.refused;
  counters_.records_refused += std::exchange(latest_records_, 0);
}

void Collector::give_up(uint64_t records, size_t datagrams) noexcept {
  stalled_ = true;
  counters_.datagrams_failed += datagrams;
  counters_.records_failed += records;
}

}  // namespace pollflow::exporter
