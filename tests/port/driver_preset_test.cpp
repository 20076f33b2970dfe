#include "port/driver_preset.hpp"

#include <rte_ethdev.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "failure.hpp"
#include "support/catch.hpp"

using namespace pollflow;
using namespace pollflow::port;
namespace fs = std::filesystem;

namespace {

class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("preset_test_" + std::to_string(::getpid()))) {
    fs::create_directory(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
  }
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  fs::path path_;
};

}  // namespace

TEST_CASE("every key of a preset") {
  const DriverPreset preset = parse_preset(
      "# a comment\n"
      "rx-descriptors = 2048\nbuffers-per-descriptor = 2\nburst = 32\nqueues = all\nrss-types = "
      "ipv4 ipv4-tcp\n"
      "offloads = rss-hash scatter\nmtu = 9000\npromiscuous = no\nreta = no\n",
      "test.conf");
  CHECK(preset.source == "test.conf");
  CHECK(preset.rx_descriptors == 2048);
  CHECK(preset.buffers_per_descriptor == 2);
  CHECK(preset.burst == 32);
  CHECK(preset.queues == QueuePolicy::all);
  CHECK(preset.rss_types == (RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP));
  CHECK(preset.offloads == (RTE_ETH_RX_OFFLOAD_RSS_HASH | RTE_ETH_RX_OFFLOAD_SCATTER));
  CHECK(preset.mtu == 9000);
  CHECK_FALSE(preset.promiscuous);
  CHECK_FALSE(preset.reta);
}

TEST_CASE("lists may be empty, and an MTU may be left alone") {
  const DriverPreset preset =
      parse_preset("rss-types = none\noffloads = none\nmtu = keep\n", "test.conf");
  CHECK(preset.rss_types == 0);
  CHECK(preset.offloads == 0);
  CHECK_FALSE(preset.mtu.has_value());
}

TEST_CASE("what is wrong in a preset is named with its file") {
  const std::pair<const char*, const char*> wrong[] = {
      {"burst = 0", "test.conf: burst: '0' is not a whole number from 8 to 64"},
      {"burst = 65", "from 8 to 64"},
      {"rx-descriptors = many", "test.conf: rx-descriptors: 'many'"},
      {"queues = some", "test.conf: queues: 'some' is none of: workers all power-of-two one"},
      {"rss-types = ipv4 ipx", "test.conf: rss-types: 'ipx' is none of: none ipv4"},
      {"offloads = turbo", "test.conf: offloads: 'turbo'"},
      {"promiscuous = true", "test.conf: promiscuous: 'true' is neither yes nor no"},
      {"mtu = 20000", "test.conf: mtu: '20000'"},
      {"speed = 10", "test.conf: "},
      {"no equals sign", "test.conf: "},
      {"burst = 33\nburst = 34", "test.conf: burst: is given twice"},
  };
  for (const auto& [text, words] : wrong) {
    CAPTURE(text);
    CHECK_THROWS_WITH(parse_preset(text, "test.conf"), Catch::Contains(words));
    CHECK_THROWS_AS(parse_preset(text, "test.conf"), Failure);
  }
}

TEST_CASE("a driver's own file wins, then the preset built in, then the default") {
  const Folder folder;
  folder.write("net_mine.conf", "burst = 17\n");
  folder.write("net_null.conf", "burst = 19\n");
  CHECK(preset_for("net_mine", folder.path()).burst == 17);
  CHECK(preset_for("net_null", folder.path()).burst == 19);
  CHECK(preset_for("net_ice", folder.path()).source == "net_ice.conf");
  CHECK(preset_for("net_unheard_of", folder.path()).source == "default.conf");
  folder.write("default.conf", "burst = 11\n");
  CHECK(preset_for("net_unheard_of", folder.path()).burst == 11);
  CHECK(preset_for("net_mine", folder.path()).burst == 17);
  CHECK(preset_for("net_mine", folder.path()).rss_types != 0);  // as in the built-in default
  CHECK(preset_for("net_unheard_of", "").source == "default.conf");
  CHECK_THROWS_WITH(preset_for("net_null", folder.path() + "/nowhere"),
                    Catch::Contains("nowhere: cannot be read (No such file or directory)"));
}

TEST_CASE("what is there and no file to be read is named") {
  const Folder folder;
  fs::create_directory(folder.path() + "/net_null.conf");
  CHECK_THROWS_WITH(preset_for("net_null", folder.path()),
                    Catch::Contains("net_null.conf: cannot be read (Is a directory)"));
  fs::create_symlink("net_ring.conf", folder.path() + "/net_ring.conf");
  CHECK_THROWS_AS(preset_for("net_ring", folder.path()), Failure);
  CHECK_THROWS_AS(preset_for(std::string(300, 'x'), folder.path()), Failure);
}

TEST_CASE("the presets built in are right, and those of RSS NICs ask for the 4-tuple") {
  constexpr uint64_t four_tuple = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP;
  for (const char* driver : {"net_ixgbe", "net_i40e", "net_ice", "net_iavf", "mlx5_pci", "net_ena",
                             "net_virtio", "net_vmxnet3", "net_e1000_igb"}) {
    CAPTURE(driver);
    const DriverPreset preset = preset_for(driver, "");
    CHECK(preset.source == std::string(driver) + ".conf");
    CHECK((preset.rss_types & four_tuple) == four_tuple);
    CHECK(preset.queues ==
          (preset.source == "net_vmxnet3.conf" ? QueuePolicy::power_of_two : QueuePolicy::workers));
  }
  for (const char* driver : {"net_af_packet", "net_pcap"}) {
    CAPTURE(driver);
    CHECK(preset_for(driver, "").queues == QueuePolicy::all);
  }
  CHECK_FALSE(preset_for("net_af_packet", "").mtu.has_value());
  CHECK_FALSE(preset_for("net_tap", "").mtu.has_value());
}

TEST_CASE("RSS types are named as presets write them") {
  CHECK(rss_type_names(0) == "none");
  CHECK(rss_type_names(RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_UDP) == "ipv4 ipv4-udp");
}
