#include "cases.hpp"

namespace pollflow::perf {
namespace {

constexpr uint32_t million = 1U << 20;

// Flows 0 to flows - 1 once each, and the first again to fill a round of the mbufs.
Sequence each_once(uint32_t flows) {
  const size_t packets = (flows + Source::mbufs - 1) / Source::mbufs * size_t{Source::mbufs};
  Sequence sequence(packets);
  for (size_t i = 0; i < packets; ++i)
    sequence[i] = static_cast<uint32_t>(i % flows);
  return sequence;
}

// The table holds as many flows as there are, and all are in it.
Case uniform_over(uint32_t wanted, const Options& options, Hashes hashes = Hashes::spread) {
  const uint32_t flows = options.flows(wanted);
  return {.name = {},
          .flows_max = flows,
          .warm = each_once(flows),
          .measured = uniform(options.packets(), flows),
          .hashes = hashes};
}

template <uint32_t flows>
Case uniform_case(const Options& options) {
  return uniform_over(flows, options);
}

Case million_case(const Options& options) {
  Case setting = uniform_over(million, options);
  setting.with_rte_hash = true;
  return setting;
}

template <Hashes hashes>
Case hashes_case(const Options& options) {
  return uniform_over(million, options, hashes);
}

Case zipf_case(const Options& options) {
  const uint32_t flows = options.flows(million);
  return {.name = {},
          .flows_max = flows,
          .warm = each_once(flows),
          .measured = zipf(options.packets(), flows)};
}

// The first `warm` packets of one sequence, then the others.
Case split(Case setting, const Sequence& all, size_t warm) {
  setting.warm.assign(all.begin(), all.begin() + static_cast<ptrdiff_t>(warm));
  setting.measured.assign(all.begin() + static_cast<ptrdiff_t>(warm), all.end());
  return setting;
}

// Half of what the table holds is under way at once; what is over stays for a while.
Case campus_case(const Options& options) {
  const uint32_t flows = options.flows(million);
  const size_t warm = 4 * size_t{flows};
  return split({.name = {}, .flows_max = 2 * size_t{flows}, .warm = {}, .measured = {}},
               campus(warm + options.packets(), flows), warm);
}

// The table is full from the start: each flow pushes one out.
Case one_packet_case(const Options& options) {
  const uint32_t flows = options.flows(million);
  const size_t warm = 2 * size_t{flows};
  return split({.name = {}, .flows_max = flows, .warm = {}, .measured = {}, .drain = true},
               one_packet_flows(warm + options.packets()), warm);
}

Case twice_case(const Options& options) {
  const uint32_t flows = options.flows(million);
  return {.name = {},
          .flows_max = flows,
          .warm = each_once(2 * flows),
          .measured = uniform(options.packets(), 2 * flows),
          .drain = true};
}

}  // namespace

std::vector<NamedCase> cases() {
  return {{"uniform 1 K", uniform_case<1U << 10>},
          {"uniform 64 K", uniform_case<64U << 10>},
          {"uniform 100 K", uniform_case<100'000>},
          {"uniform 1 M", million_case},
          {"uniform 4 M", uniform_case<4 * million>},
          {"uniform 16 M", uniform_case<16 * million>},
          {"zipf", zipf_case},
          {"campus", campus_case},
          {"one-packet flows", one_packet_case},
          {"twice the flows", twice_case},
          {"hashes equal", hashes_case<Hashes::equal>},
          {"hashes of one queue", hashes_case<Hashes::one_queue>}};
}

}  // namespace pollflow::perf
