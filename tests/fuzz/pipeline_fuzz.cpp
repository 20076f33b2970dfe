// The whole data path on a clock of its own: worker, table, ring, export loop and collectors are
// the real ones; the kernel is scripted, and the ledger judges after each step. At the end what
// went in is what the collectors got and what is counted as lost.
//
//   input: outputs, size of the table, pace, steps

#include <fmt/format.h>
#include <netinet/in.h>
#include <rte_eal.h>
#include <rte_mempool.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <deque>
#include <memory>

#include "flow/ledger.hpp"
#include "fuzz/datagram_stream.hpp"
#include "fuzz/expect.hpp"
#include "fuzz/frames.hpp"
#include "fuzz/input.hpp"
#include "pipeline/export_loop.hpp"
#include "pipeline/worker.hpp"
#include "support/flow_fixtures.hpp"
#include "support/scripted_kernel.hpp"
#include "support/slow_decoder.hpp"

using namespace pollflow;
using namespace pollflow::test;
using pipeline::ExportLoop;

namespace {

constexpr int64_t boot_ms = 1'700'000'000'000;
constexpr uint16_t in_if = 9;
constexpr unsigned mbufs = 1023;
constexpr uint16_t first_port = 20'001;  // of collectors

// What EAL gives is made once: each run leaves it as it found it.
struct Resources {
  rte_mempool* pool =
      rte_pktmbuf_pool_create("fuzz", mbufs, 0, 0, RTE_PKTMBUF_HEADROOM + 256, SOCKET_ID_ANY);
  pipeline::ExpiryRing ring{"fuzz", SOCKET_ID_ANY};
};
Resources& resources() {
  static Resources* made = new Resources;  // EAL may be gone before statics are
  return *made;
}

flow::ExpiryRules draw_rules(Input& input) {
  return {.inactive_timeout_ms = 1 + input.u16(),
          .active_timeout_ms = 1 + 4 * int64_t{input.u16()},
          .hold_idle = input.flag()};
}

ExportLoop::Options draw_export_options(Input& input) {
  ExportLoop::Options options{.boot_ms = boot_ms, .pairs = {}};
  options.assembler.records_max = 1 + input.below(netflow::v5_records_max);
  options.export_delay_ms = 16 * input.byte();
  options.export_rate = input.flag() ? 1 + input.u16() : 0;
  return options;
}

// No collector, one, two, or a file that takes nothing.
pipeline::Outputs draw_outputs(Input& input) {
  const uint32_t kind = input.below(6);
  pipeline::Outputs outputs;
  if (kind == 5) outputs.csv.emplace("/dev/full");
  for (size_t i = 0; i < kind % 5 && i < 2; ++i) {
    const std::string port = fmt::to_string(first_port + i);  // where nobody is ever asked
    outputs.collectors.emplace_back(exporter::CollectorAddress{"127.0.0.1", port});
  }
  return outputs;
}

class Run {
 public:
  explicit Run(Input& input)
      : input_(input),
        outputs_(draw_outputs(input)),
        table_(
            {.flows_max = size_t{1} + input.byte(), .rules = draw_rules(input), .hash_secret = 1}),
        worker_(std::make_unique<pipeline::Worker>(table_.table(), resources().ring)),
        loop_(std::make_unique<ExportLoop>(draw_export_options(input), rings_, outputs_)),
        tells_time_(!input.flag()) {
    kernel_in_place = [this](int socket, std::span<const uint8_t> bytes, size_t datagram_bytes) {
      return answer(socket, bytes, datagram_bytes);
    };
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run() { kernel_in_place = nullptr; }

  void steps() {
    while (!input_.empty()) {
      step();
      if (input_.flag()) check_ledger(false);
    }
    finish();
  }

 private:
  void step() {
    switch (input_.below(11)) {
      case 0:
      case 1:
      case 2:
        return burst(1 + input_.below(32));
      case 3:
        return pass_time();
      case 4:
      case 5:
        return export_turn();
      case 6:
        return script();
      case 7:
        return serve();
      case 8:
        return settings();
      case 9:
        worker_->flush(now_ms_);
        return;
      default:
        return scan();
    }
  }

  void burst(uint32_t packets) {
    std::vector<Frame> frames;
    for (; packets > 0; --packets)
      frames.push_back(draw_frame(input_));
    process(frames, 16 + input_.byte(), input_.flag());
  }
  // One-packet flows, perhaps more than ring and table take together.
  void scan() {
    for (uint32_t bursts = input_.byte(); bursts > 0; --bursts) {
      std::vector<Frame> frames;
      for (int packet = 0; packet < 32; ++packet)
        frames.push_back(plain_frame(static_cast<uint16_t>(256 + fresh_++ % 60'000), false, 0, 40));
      process(frames, 256, false);
    }
  }
  void process(const std::vector<Frame>& frames, size_t segment_bytes, bool nic_hashes) {
    std::vector<rte_mbuf*> packets;
    for (const Frame& frame : frames) {
      packets.push_back(mbuf_of(frame, segment_bytes, resources().pool));
      // Of the source address, as a NIC's would be: the same for each packet of a flow.
      if (nic_hashes && frame.size() > 29) {
        packets.back()->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
        packets.back()->hash.rss = frame[28] * 0x9e3779b9U + frame[29];
      }
      const Verdict verdict = slow_decode(frame, packet::LinkType::ethernet, in_if);
      frames_in_.add(frame.size());
      fates_in_[index_of(verdict.fate)].add(frame.size());
      if (verdict.fate == packet::Fate::accounted) packets_in_.add(verdict.packet.octets);
    }
    const std::vector<int64_t> arrivals(packets.size(), now_ms_);
    worker_->process({packets, arrivals, now_ms_, packet::LinkType::ethernet, in_if});
  }

  void pass_time() {
    const uint32_t how = input_.byte();
    const int64_t ms = how == 255 ? 86'400'000 : int64_t{input_.byte()} << how % 12;
    moved_ms_ += ms;
    now_ms_ += how >= 200 && how < 255 ? -ms : ms;
    now_ns_ += static_cast<uint64_t>(ms) * 1'000'000;
    worker_->process({{}, {}, now_ms_, packet::LinkType::ethernet, in_if});
  }

  void export_turn() {
    tell_lost();
    loop_->turn(tells_time_ ? now_ms_ : ExportLoop::no_clock, now_ns_);
  }
  // As the lcore that exports does it, before its turn.
  void tell_lost() {
    const uint64_t lost = worker_->counters().lost_sum().records;
    loop_->note_lost(lost - lost_told_);
    lost_told_ = lost;
  }

  // What the kernel will answer to the next calls: an errno, 0 for all, or how many datagrams less
  // than it is offered it takes.
  struct Answer {
    int error;
    uint32_t left_out;
  };
  void script() {
    constexpr std::array errors = {0,      EAGAIN,   ENOBUFS,     EINTR,        EINVAL,
                                   EIO,    EMSGSIZE, EPERM,       ECONNREFUSED, ENETUNREACH,
                                   ENOMEM, EPIPE,    EHOSTUNREACH};
    const Answer next{errors[input_.below(errors.size())], input_.below(4)};
    for (uint32_t times = 1 + input_.below(8); times > 0; --times)
      answers_.push_back(next);
  }
  ssize_t answer(int socket, std::span<const uint8_t> bytes, size_t datagram_bytes) {
    Answer now{};
    if (!answers_.empty()) {
      now = answers_.front();
      answers_.pop_front();
    }
    if (now.error != 0) {
      errno = now.error;
      return -1;
    }
    // The last of a row may be shorter than the others.
    const size_t offered = (bytes.size() + datagram_bytes - 1) / datagram_bytes;
    if (now.left_out > 0 && now.left_out < offered)
      bytes = bytes.first((offered - now.left_out) * datagram_bytes);
    for (auto rest = bytes; !rest.empty();) {
      const size_t length = std::min(rest.size(), datagram_bytes);
      streams_[stream_of(socket)].receive(rest.first(length), moved_ms_ < INT32_MAX);
      rest = rest.subspan(length);
    }
    return static_cast<ssize_t>(bytes.size());
  }
  static size_t stream_of(int socket) {
    sockaddr_in peer{};
    socklen_t length = sizeof(peer);
    expect(getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &length) == 0, "connected");
    return static_cast<size_t>(ntohs(peer.sin_port) - first_port);
  }

  void serve() {
    if (!errand_.pending()) {
      using Kind = pipeline::Errand::Kind;
      errand_.ask({.kind = input_.flag() ? Kind::expire : Kind::list,
                   .walk = {.filter = {}, .before_ms = now_ms_ + 1}});
    }
    worker_->serve(errand_, now_ms_);
  }

  void settings() {
    switch (input_.below(3)) {
      case 0:
        return table_.table().set_rules(draw_rules(input_), now_ms_);
      case 1:
        return loop_->set_pace(16 * input_.byte(), input_.flag() ? 1 + input_.u16() : 0);
      default:
        return loop_->set_wall_offset(static_cast<int32_t>(input_.u32()));
    }
  }

  void check_ledger(bool at_rest) {
    worker_->settle();
    const flow::WorkerCounters& counters = worker_->counters();
    expect(counters.received == frames_in_, "every frame is counted as received");
    expect(counters.fates == fates_in_, "every frame has the fate that the slow decoder says");
    expect(counters.accounted == packets_in_, "packets and octets are those that came");
    flow::Ledger ledger;
    flow::PortCounters port;
    port.received = frames_in_.packets;
    ledger.ports = {port};
    ledger.workers = counters;
    ledger.in_tables = table_.table().walk();
    ledger.ring_records =
        uint32_t{resources().ring.pushed() - loop_->rings_popped()} + loop_->waiting();
    ledger.exported = loop_->counters();
    ledger.at_rest = at_rest;
    for (const std::string& sentence : ledger.broken_equations())
      expect(false, sentence);
    expect(table_.table().held() == ledger.in_tables, "the table holds what it says it holds");
  }

  void finish() {
    while (!worker_->flush(now_ms_))
      later_turn(false);
    while (!later_turn(true)) {
    }
    check_ledger(true);
    expect(table_.table().flows() == 0 && resources().ring.count() == 0, "nothing is left");
    expect(rte_mempool_in_use_count(resources().pool) == 0, "each packet was freed, once");
    for (size_t i = 0; i < outputs_.collectors.size(); ++i)
      check_collector(outputs_.collectors[i], streams_[i]);
    if (outputs_.collectors.size() == 1)
      expect(streams_[0].got() == loop_->counters().sent, "what was sent is what came");
    streams_[0].expect_same_as(streams_[1]);
  }
  bool later_turn(bool last) {
    expect(++late_turns_ < 100'000, "it comes to an end");
    now_ns_ += 1'000'000'000;
    if (!last) {
      export_turn();
      return false;
    }
    tell_lost();
    const bool done = loop_->finish(tells_time_ ? now_ms_ : ExportLoop::no_clock, now_ns_);
    return done;
  }
  void check_collector(const exporter::Collector& collector, DatagramStream& stream) {
    stream.miss_up_to(static_cast<uint32_t>(loop_->counters().flow_sequence));
    expect(stream.got().records == collector.counters().records_sent, "it got what was sent to it");
    expect(stream.got().records + stream.missed() == worker_->counters().created().records,
           "what it misses by the sequence is what was lost");
  }

  Input& input_;
  pipeline::Outputs outputs_;
  std::array<pipeline::ExpiryRing*, 1> rings_ = {&resources().ring};
  TableFixture table_;
  std::unique_ptr<pipeline::Worker> worker_;
  std::unique_ptr<ExportLoop> loop_;
  bool tells_time_;  // else records do, as in a capture
  pipeline::Errand errand_;
  int64_t now_ms_ = boot_ms + 1000;
  uint64_t now_ns_ = 1'000'000'000;
  int64_t moved_ms_ = 0;
  uint32_t fresh_ = 0;
  std::deque<Answer> answers_;
  uint64_t lost_told_ = 0;
  unsigned late_turns_ = 0;

  flow::Tally frames_in_;
  std::array<flow::Tally, packet::fate_count> fates_in_;
  flow::Tally packets_in_;
  std::array<DatagramStream, 2> streams_;
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  std::array<const char*, 9> eal = {"fuzz",     "--no-huge", "--no-shconf", "--no-telemetry",
                                    "--no-pci", "-m",        "64",          "--log-level=error"};
  expect(rte_eal_init(8, const_cast<char**>(eal.data())) >= 0, "EAL starts");
  expect(resources().pool != nullptr, "EAL has memory");
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  Run(input).steps();
  return 0;
}
