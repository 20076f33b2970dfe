#include "control/flow_replies.hpp"

#include <fmt/format.h>

#include <span>
#include <stdexcept>
#include <vector>

#include "control/reply.hpp"
#include "exporter/flow_text.hpp"

namespace pollflow::control {
namespace {

// The longest texts of a flow and its path, what stands around each (quotes, comma, blank), and
// what the rest of a reply takes at most.
constexpr size_t flow_bytes_max = 111;
constexpr size_t path_bytes_max = 39;
constexpr size_t bytes_around_text = 4;
constexpr size_t bytes_besides_flows = 512;
static_assert(flow_bytes_max <= Reply::text_max);
static_assert(top_flows_max * (flow_bytes_max + path_bytes_max + 2 * bytes_around_text) +
                  bytes_besides_flows <=
              Reply::bytes_max);

std::string flow_text(const flow::LiveFlow& flow, int64_t wall_offset_ms) {
  const packet::FlowKey& key = flow.key;
  return fmt::format("{},{},{},{},{},{},{},{},{},{},{},{}", exporter::address_text(key.src),
                     exporter::address_text(key.dst), key.src_port, key.dst_port, key.protocol,
                     key.tos, flow.tcp_flags, flow.packets, flow.octets,
                     flow.first_ms + wall_offset_ms, flow.last_ms + wall_offset_ms, key.in_if);
}

std::string path_text(const flow::Routing& path) {
  return fmt::format("{},{},{},{},{},{}", path.out_if, exporter::address_text(path.next_hop),
                     path.src_mask, path.dst_mask, path.src_as, path.dst_as);
}

// The flows of one reply, as many as fit.
struct Page {
  std::vector<std::string> flows;
  std::vector<std::string> paths;
};

Page page_of(std::span<const flow::LiveFlow> flows, const Sources& sources) {
  std::vector<packet::FlowKey> keys;
  for (const flow::LiveFlow& flow : flows)
    keys.push_back(flow.key);
  std::vector<flow::Routing> paths(keys.size());
  sources.routes->resolve(keys, paths);
  Page page;
  size_t bytes = bytes_besides_flows;
  for (size_t i = 0; i < flows.size(); ++i) {
    std::string flow = flow_text(flows[i], sources.clock->wall_offset_ms());
    std::string path = path_text(paths[i]);
    bytes += flow.size() + path.size() + 2 * bytes_around_text;
    if (bytes > Reply::bytes_max) break;
    page.flows.push_back(std::move(flow));
    page.paths.push_back(std::move(path));
  }
  return page;
}

void reply(const Page& page, const std::string& next, uint64_t matched, const Sources& sources,
           rte_tel_data* data) {
  Reply reply(data);
  reply.add("next", next);
  reply.add("now_ms",
            static_cast<uint64_t>(sources.clock->now_ms() + sources.clock->wall_offset_ms()));
  reply.add("matched", matched);
  reply.add("flows", page.flows);
  reply.add("paths", page.paths);
}

FlowOrder order_of(const std::string& name) {
  if (name == "octets") return FlowOrder::octets;
  if (name == "packets") return FlowOrder::packets;
  if (name == "age") return FlowOrder::age;
  throw std::invalid_argument(
      fmt::format("'{}' is no order of flows; octets, packets and age are", name));
}

}  // namespace

void reply_flows(FlowDesk& desk, const Sources& sources, const std::string& cursor,
                 const std::string& filter, rte_tel_data* data) {
  Cursor at = Cursor::parse(cursor);
  const size_t worker = at.worker;
  const auto flows = desk.list(at, flow::FlowFilter::parse(filter));
  const Page page = page_of(flows, sources);
  if (page.flows.size() < flows.size()) {  // the next page begins with the first that did not fit
    at.worker = worker;
    at.slot = flows[page.flows.size()].slot;
  }
  reply(page, desk.at_end(at) ? "" : at.text(), page.flows.size(), sources, data);
}

void reply_top(FlowDesk& desk, const Sources& sources, uint64_t count, const std::string& order,
               const std::string& filter, rte_tel_data* data) {
  if (count == 0 || count > top_flows_max) {
    throw std::invalid_argument(
        fmt::format("{} flows are not what a reply holds; ask for 1 to {}", count, top_flows_max));
  }
  const auto top = desk.top(count, order_of(order), flow::FlowFilter::parse(filter));
  reply(page_of(top.flows, sources), "", top.matched, sources, data);
}

}  // namespace pollflow::control
