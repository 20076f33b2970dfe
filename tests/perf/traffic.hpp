#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pollflow::perf {

// Which flow each packet belongs to, by number, in the order of the packets. The same arguments
// give the same sequence.
using Sequence = std::vector<uint32_t>;

// Each packet belongs to any of the flows.
Sequence uniform(size_t packets, uint32_t flows);

// Flow number k with a probability in proportion to 1 / (k + 1).
Sequence zipf(size_t packets, uint32_t flows);

// A campus's mixture: of all flows 47.8 % have one packet and 17.5 % two, the others 3 + a
// log-normal number, so that a flow has 79 packets in the mean. `active` flows are under way at any
// time, from the first packet on as if it had gone on for long; each packet belongs to any of them,
// and a flow that has had its packets is followed by one with the next number.
Sequence campus(size_t packets, uint32_t active);

// Each packet begins a flow of its own (RFC 6645's flow learning rate).
Sequence one_packet_flows(size_t packets);

}  // namespace pollflow::perf
