#include "sim/network.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <string_view>

#include "support/scripted_kernel.hpp"

namespace pollflow::test {
namespace {

constexpr int errno_max = 133;  // Linux

constexpr std::array busy_errors = {EAGAIN, ENOBUFS, EINTR};
constexpr std::array hostile_errors = {ECONNREFUSED, EPERM,  ENETUNREACH, EHOSTUNREACH,
                                       ENETDOWN,     ENOMEM, EACCES,      EBADF};
constexpr std::array row_errors = {EINVAL, EIO, EMSGSIZE, ENOPROTOOPT};

std::string_view text_of(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Network::Network(Dice& dice, Trace& trace, size_t collectors, unsigned records_max)
    : dice_(dice), trace_(trace), states_(collectors) {
  for (size_t i = 0; i < collectors; ++i)
    views_.emplace_back(records_max);
  kernel_in_place = [this](int socket, std::span<const uint8_t> bytes, size_t datagram_bytes) {
    return answer(socket, bytes, datagram_bytes);
  };
}

Network::~Network() {
  kernel_in_place = nullptr;
}

void Network::set_mood(size_t collector, Mood mood, uint64_t in_thousand) {
  states_[collector].mood = mood;
  states_[collector].in_thousand = in_thousand;
}

bool Network::all_well() const {
  return std::ranges::all_of(
      states_, [](const State& state) { return state.mood == Mood::well && !state.must_answer; });
}

ssize_t Network::answer(int socket, std::span<const uint8_t> bytes,
                        size_t datagram_bytes) noexcept {
  const size_t collector = collector_of(socket);
  State& state = states_[collector];
  const size_t offered = (bytes.size() + datagram_bytes - 1) / datagram_bytes;
  const int error = error_for(state);
  const size_t taken = error == 0 ? datagrams_taken(state, offered) : 0;
  for (size_t i = 0; i < offered; ++i) {
    const size_t at = i * datagram_bytes;
    deliver(collector, bytes.subspan(at, std::min(datagram_bytes, bytes.size() - at)), i < taken);
  }
  if (taken == offered) return static_cast<ssize_t>(bytes.size());
  ++refusals_;
  errno = error;
  // Cut amid a datagram, which is then as good as not sent.
  return error == 0 ? static_cast<ssize_t>(taken * datagram_bytes + dice_.draw(24)) : -1;
}

// By a kernel that takes less than what it is offered, if it is cutting.
size_t Network::datagrams_taken(State& state, size_t offered) {
  if (state.mood != Mood::cuts || dice_.draw(1000) >= state.in_thousand) return offered;
  return dice_.draw(offered);
}

void Network::deliver(size_t collector, std::span<const uint8_t> datagram, bool taken) {
  try {
    if (taken) {
      hand_over(collector, datagram);
    } else {
      views_[collector].refuse(datagram);
    }
  } catch (const std::runtime_error& wrong) {
    if (failure_.empty()) failure_ = fmt::format("collector {}: {}", collector, wrong.what());
  }
}

// 0: it is taken.
int Network::error_for(State& state) {
  if (std::exchange(state.must_answer, false)) return ECONNREFUSED;
  if (state.mood == Mood::well || dice_.draw(1000) >= state.in_thousand) return 0;
  switch (state.mood) {
    case Mood::busy:
      return dice_.pick(busy_errors);
    case Mood::hostile:
      return dice_.pick(hostile_errors);
    case Mood::no_rows:
      return dice_.pick(row_errors);
    case Mood::any:
      return static_cast<int>(dice_.between(1, errno_max));
    case Mood::cuts:
    case Mood::gone:
    case Mood::well:
      break;
  }
  return 0;
}

// All collectors' streams are the same, to the byte.
void Network::hand_over(size_t collector, std::span<const uint8_t> datagram) {
  trace_.mix(text_of(datagram));
  const uint64_t hash = std::hash<std::string_view>{}(text_of(datagram));
  const uint32_t sequence = V5Bytes(datagram, 0).u32(16);
  if (sent_as_.try_emplace(sequence, hash).first->second != hash)
    throw std::runtime_error(
        fmt::format("datagram {} is not the one that another collector got", sequence));
  State& state = states_[collector];
  if (state.mood == Mood::gone) {
    views_[collector].lose(datagram);
    state.must_answer = dice_.draw(2) == 0;
  } else {
    views_[collector].take(datagram);
  }
}

size_t Network::collector_of(int socket) {
  const auto known = collectors_.find(socket);
  if (known != collectors_.end()) return known->second;
  sockaddr_in address{};
  socklen_t bytes = sizeof(address);
  if (getpeername(socket, reinterpret_cast<sockaddr*>(&address), &bytes) != 0)
    throw std::runtime_error("a datagram is sent where no collector is");
  return collectors_[socket] = ntohs(address.sin_port) - size_t{first_port};
}

}  // namespace pollflow::test
