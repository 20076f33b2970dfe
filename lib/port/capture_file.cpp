#include "port/capture_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <pcap/pcap.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

#include "failure.hpp"
#include "port/time_stamp.hpp"

namespace pollflow::port {
namespace {

constexpr uint32_t pcap_record_header_bytes = 16;
constexpr uint32_t pcapng_packet_block_bytes = 32;
constexpr std::array<uint8_t, 4> pcapng_magic = {0x0a, 0x0d, 0x0d, 0x0a};
constexpr std::array<uint8_t, 2> gzip_magic = {0x1f, 0x8b};

int open_for_reading(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file >= 0) return file;
  const int error = errno;
  if (error == EACCES || error == EPERM) {
    throw Failure(ExitCode::no_permission,
                  fmt::format("--read {}: you may not read it ({})", path, std::strerror(error)));
  }
  throw Failure(ExitCode::no_input,
                fmt::format("--read {}: cannot be opened ({}); give the path of a capture file",
                            path, std::strerror(error)));
}

uint64_t regular_file_bytes(int file, const std::string& path) {
  struct stat status {};
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    throw Failure(
        ExitCode::no_input,
        fmt::format("--read {}: not a regular file; write the capture to a file first", path));
  }
  return static_cast<uint64_t>(status.st_size);
}

packet::LinkType link_type(int dlt, const std::string& path) {
  switch (dlt) {
    case DLT_EN10MB:
      return packet::LinkType::ethernet;
    case DLT_RAW:
    case DLT_IPV4:
      return packet::LinkType::raw_ip;
    case DLT_LINUX_SLL:
      return packet::LinkType::linux_cooked_v1;
    case DLT_LINUX_SLL2:
      return packet::LinkType::linux_cooked_v2;
    default:
      break;
  }
  const char* name = pcap_datalink_val_to_name(dlt);
  throw Failure(
      ExitCode::no_input,
      fmt::format("--read {}: its link type is {}, which pollflow does not decode; it reads "
                  "EN10MB (Ethernet), RAW and IPV4 (raw IP), LINUX_SLL and LINUX_SLL2",
                  path, name != nullptr ? name : fmt::format("number {}", dlt)));
}

using Capture = std::unique_ptr<pcap_t, decltype(&pcap_close)>;

// Opens the file with libpcap, by a descriptor of its own.
Capture open_capture(int file, const std::string& path) {
  const int copy = dup(file);
  lseek(file, 0, SEEK_SET);  // the copy shares its offset
  FILE* stream = copy < 0 ? nullptr : fdopen(copy, "rb");
  if (stream == nullptr) {
    throw Failure(ExitCode::failed, fmt::format("--read {}: {}", path, std::strerror(errno)));
  }
  std::array<char, PCAP_ERRBUF_SIZE> why{};
  Capture capture{pcap_fopen_offline(stream, why.data()), &pcap_close};
  if (capture != nullptr) return capture;
  fclose(stream);
  std::array<uint8_t, 2> start{};
  const bool gzip = pread(file, start.data(), start.size(), 0) == 2 && start == gzip_magic;
  throw Failure(
      ExitCode::no_input,
      fmt::format(
          "--read {}: not a capture that libpcap reads ({}); {}", path, why.data(),
          gzip ? "it is compressed: unpack it with gunzip first" : "give a pcap or pcapng file"));
}

int64_t time_of_first_packet(pcap_t* capture) {
  pcap_pkthdr* header = nullptr;
  const u_char* bytes = nullptr;
  if (pcap_next_ex(capture, &header, &bytes) != 1) return 0;
  return arrival_ms(static_cast<uint64_t>(header->ts.tv_sec) * 1'000'000 +
                    static_cast<uint64_t>(header->ts.tv_usec));
}

bool is_pcapng(int file) {
  std::array<uint8_t, 4> start{};
  return pread(file, start.data(), start.size(), 0) == 4 && start == pcapng_magic;
}

}  // namespace

CaptureFile::CaptureFile(const std::string& path) : path_(path), file_(open_for_reading(path)) {
  try {
    bytes_ = regular_file_bytes(file_, path);
    const Capture capture = open_capture(file_, path);
    link_ = link_type(pcap_datalink(capture.get()), path);
    first_packet_ms_ = time_of_first_packet(capture.get());
    record_overhead_bytes_ =
        is_pcapng(file_) ? pcapng_packet_block_bytes : pcap_record_header_bytes;
  } catch (...) {
    close(file_);
    throw;
  }
}

CaptureFile::~CaptureFile() {
  close(file_);
}

std::string CaptureFile::damage_behind(uint64_t packets) const {
  const Capture capture = open_capture(file_, path_);
  pcap_pkthdr* header = nullptr;
  const u_char* bytes = nullptr;
  int result = 1;
  for (uint64_t read = 0; read <= packets && result == 1; ++read) {
    result = pcap_next_ex(capture.get(), &header, &bytes);
  }
  return result == PCAP_ERROR ? pcap_geterr(capture.get()) : "";
}

std::string CaptureFile::vdev() const {
  return fmt::format("net_pcap0,rx_pcap=/proc/self/fd/{}", file_);
}

}  // namespace pollflow::port
