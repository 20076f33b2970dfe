// What reading a capture costs by itself: libpcap hands over each packet, and nothing is done with
// it.
//
//   pcap_floor FILE.pcap       packets N octets N cpu_seconds S process_cpu_seconds S
//
// octets: of frames, as captured. cpu_seconds: from before the first packet to behind the last;
// process_cpu_seconds: since the process began. Exit 64 without a file, 66 when it is no capture.
#include <fmt/format.h>
#include <pcap/pcap.h>

#include <array>
#include <cstdio>

#include "cpu_clock.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    fmt::print(stderr, "pcap_floor: name one capture: pcap_floor FILE.pcap\n");
    return 64;
  }
  std::array<char, PCAP_ERRBUF_SIZE> why{};
  pcap_t* capture = pcap_open_offline(argv[1], why.data());
  if (capture == nullptr) {
    fmt::print(stderr, "pcap_floor: {}: {}\n", argv[1], why.data());
    return 66;
  }
  const uint64_t began_us = pollflow::perf::cpu_us();
  uint64_t packets = 0;
  uint64_t octets = 0;
  pcap_pkthdr* header = nullptr;
  const u_char* bytes = nullptr;
  int result = 0;
  while ((result = pcap_next_ex(capture, &header, &bytes)) == 1) {
    ++packets;
    octets += header->caplen;
  }
  const uint64_t ended_us = pollflow::perf::cpu_us();
  if (result == PCAP_ERROR) {
    fmt::print(stderr, "pcap_floor: {}: damaged behind packet {}: {}\n", argv[1], packets,
               pcap_geterr(capture));
    return 66;
  }
  pcap_close(capture);
  fmt::print("packets {} octets {} cpu_seconds {:.6f} process_cpu_seconds {:.6f}\n", packets,
             octets, static_cast<double>(ended_us - began_us) / 1e6,
             static_cast<double>(pollflow::perf::cpu_us()) / 1e6);
  return 0;
}
