#pragma once

#include <string>
#include <vector>

namespace pollflow::app {

// What EAL has to provide for a run over a capture.
struct CaptureNeeds {
  std::string vdev;                             // of the capture's port
  size_t memory_bytes;                          // that pools, tables and rings take
  std::vector<unsigned> cpus;                   // that this process may run on
  std::vector<std::string> operator_arguments;  // what stood before "--" on the command line
};

// The CPUs that the calling thread may run on.
std::vector<unsigned> allowed_cpus();

// The argument vector for rte_eal_init() over a capture: no huge pages, no PCI, no files left
// behind, one lcore unless the operator lays out more. The operator's own arguments come last.
std::vector<std::string> eal_arguments(const CaptureNeeds& needs);

// The same for live ports: the operator's arguments as they are, and before them what they leave
// open: with --no-huge how much memory, `memory_bytes`, as EAL's own 64 MiB hold no flow table;
// with huge pages that no file of them outlives its mapping, so that they are free however the
// process ends.
std::vector<std::string> live_eal_arguments(const std::vector<std::string>& operator_arguments,
                                            size_t memory_bytes);

}  // namespace pollflow::app
