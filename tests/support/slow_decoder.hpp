#pragma once

#include <cstdint>
#include <span>

#include "support/verdict.hpp"

namespace pollflow::test {

// What packet::decode() should say of the frame: docs/reference/flows.md once more, slowly, byte by
// byte. Has nothing of lib/packet but its types. Needs neither EAL nor Catch2.
Verdict slow_decode(std::span<const uint8_t> frame, packet::LinkType link, uint16_t in_if);

}  // namespace pollflow::test
