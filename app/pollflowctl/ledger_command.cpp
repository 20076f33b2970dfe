#include <fmt/format.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "commands.hpp"
#include "run_state.hpp"
#include "streams.hpp"

namespace pollflow::ctl {
namespace {

// A line of an equation; what is not counted is absent. Numbers wrap as pollflow's own do.
struct Term {
  std::string name;
  std::optional<uint64_t> records;
  std::optional<uint64_t> packets;
  std::optional<uint64_t> octets;
};

std::string cell(const std::optional<uint64_t>& number) {
  return number ? fmt::to_string(*number) : "";
}

std::string line(std::string_view sign, std::string_view name, std::string_view records,
                 std::string_view packets, std::string_view octets) {
  std::string text = fmt::format("{}{:<{}}{:>14}{:>14}{:>18}", sign, name, 32 - sign.size(),
                                 records, packets, octets);
  text.erase(text.find_last_not_of(' ') + 1);
  text += '\n';
  return text;
}

// The first term is the sum of the others.
struct Equation {
  std::string title;
  std::string octets;  // what they are octets of
  std::vector<Term> terms;

  [[nodiscard]] bool holds() const {
    return adds_up(&Term::records) && adds_up(&Term::packets) && adds_up(&Term::octets);
  }
  [[nodiscard]] std::string text() const {
    std::string text = line("", title, terms.front().records ? "records" : "", "packets", octets);
    std::string_view sign = "  ";
    for (const Term& term : terms) {
      text += line(sign, term.name, cell(term.records), cell(term.packets), cell(term.octets));
      sign = sign == "  " ? "= " : "+ ";
    }
    text += holds() ? "  holds\n" : "  does NOT hold\n";
    return text;
  }

 private:
  [[nodiscard]] bool adds_up(std::optional<uint64_t> Term::*column) const {
    uint64_t sum = 0;
    for (size_t i = 1; i < terms.size(); ++i)
      sum += (terms[i].*column).value_or(0);
    return (terms.front().*column).value_or(0) == sum;
  }
};

Term packets_term(const Reply& reply, const char* member) {
  return {.name = member, .records = {}, .packets = reply.number(member), .octets = {}};
}

Term octets_term(const Reply& reply, std::string name, const std::string& stem) {
  return {.name = std::move(name),
          .records = {},
          .packets = reply.number(stem + "_packets"),
          .octets = reply.number(stem + "_octets")};
}

Term records_term(const Reply& reply, std::string name, const std::string& stem) {
  Term term = octets_term(reply, std::move(name), stem);
  term.records = reply.number(stem + "_records");
  return term;
}

// The names are pollflow's to say: docs/reference/flows.md.
std::vector<Term> skipped_terms(const Reply& reply) {
  constexpr std::string_view begin = "skipped_";
  constexpr std::string_view end = "_packets";
  std::vector<Term> terms;
  for (const auto& [member, value] : reply.json().items()) {
    if (!member.starts_with(begin) || !member.ends_with(end)) continue;
    const std::string stem = member.substr(0, member.size() - end.size());
    Term term = octets_term(reply, fmt::format("skipped: {}", stem.substr(begin.size())), stem);
    if (term.packets != 0 || term.octets != 0) terms.push_back(std::move(term));
  }
  return terms;
}

std::vector<Equation> run_equations(const Reply& reply) {
  std::vector<Equation> equations;
  equations.push_back({"All ports",
                       "",
                       {packets_term(reply, "offered"),
                        {"received", {}, reply.number("received_packets"), {}},
                        packets_term(reply, "missed"),
                        packets_term(reply, "errored")}});

  // Accounted packets are counted in both kinds of octets, of the frame here.
  equations.push_back({"Frames", "octets", {octets_term(reply, "received", "received")}});
  equations.back().terms.push_back({.name = "accounted to a flow",
                                    .records = {},
                                    .packets = reply.number("accounted_packets"),
                                    .octets = reply.number("accounted_frame_octets")});
  for (Term& term : skipped_terms(reply))
    equations.back().terms.push_back(std::move(term));

  const std::string in_tables =
      fmt::format("in the tables ({} flows)", reply.number("in_tables_flows"));
  equations.push_back(
      {"Packets in flows",
       "IPv4 octets",
       {octets_term(reply, "accounted", "accounted"), octets_term(reply, in_tables, "in_tables"),
        octets_term(reply, "in records created", "created")}});

  equations.push_back({"Flow records", "IPv4 octets", {records_term(reply, "created", "created")}});
  constexpr std::array parts = {
      std::pair{"in rings", "in_rings"},
      std::pair{"in the datagram", "in_datagram"},
      std::pair{"sent", "sent"},
      std::pair{"lost: ring full", "lost_ring_full"},
      std::pair{"lost: sending failed", "lost_send_failed"},
      std::pair{"lost: writing failed", "lost_write_failed"},
  };
  for (const auto& [name, stem] : parts)
    equations.back().terms.push_back(records_term(reply, name, stem));
  return equations;
}

// A port's answer is a moment later than the run's, so each adds up by itself only.
std::vector<Equation> port_equations(const Reply& port) {
  const std::string title =
      fmt::format("Port {}, {}", port.number("port"), app::one_line(port.text("name")));
  std::vector<Equation> equations = {
      {title,
       "",
       {packets_term(port, "offered"), packets_term(port, "received"), packets_term(port, "missed"),
        packets_term(port, "errored")}}};
  port.check_lengths(
      {"queue_ids", "queue_lcores", "queue_packets", "queue_accounted", "queue_nic_hashed"});
  const auto ids = port.numbers("queue_ids");
  const auto lcores = port.numbers("queue_lcores");
  const auto packets = port.numbers("queue_packets");
  Equation by_queue{title + ", by queue", "", {packets_term(port, "received")}};
  for (size_t i = 0; i < ids.size(); ++i) {
    by_queue.terms.push_back({.name = fmt::format("queue {} on lcore {}", ids[i], lcores[i]),
                              .records = {},
                              .packets = packets[i],
                              .octets = {}});
  }
  if (!ids.empty()) equations.push_back(std::move(by_queue));
  return equations;
}

}  // namespace

ExitCode ledger(TelemetryClient& client, const Arguments& arguments, Output& output) {
  const Reply reply = client.ask({.command = "/pollflow/ledger"});
  const auto broken = reply.texts("broken");
  std::vector<Equation> equations = run_equations(reply);
  const std::vector<Reply> ports = ask_ports(client, client.ask({.command = "/pollflow/info"}));
  for (const Reply& port : ports) {
    for (Equation& equation : port_equations(port))
      equations.push_back(std::move(equation));
  }
  bool balanced = reply.number("balanced") != 0 && broken.empty();
  for (const Equation& equation : equations)
    balanced = balanced && equation.holds();
  const ExitCode code = balanced ? ExitCode::done : ExitCode::failed;
  if (arguments.format == Format::json) {
    Json all = {{"balanced", balanced}, {"ledger", reply.json()}, {"ports", Json::array()}};
    for (const Reply& port : ports)
      all["ports"].push_back(port.json());
    output.print("{}\n", json_text(all, 2));
    return code;
  }
  for (const Equation& equation : equations)
    output.print("\n{}", equation.text());
  for (const std::string& sentence : broken)
    output.print("\nThe ledger does not add up: {}.", app::one_line(sentence));
  if (!broken.empty()) output.write("\n");
  output.write(balanced ? "\nThe ledger adds up: every packet received is accounted for.\n"
                        : "\nThe ledger does NOT add up.\n");
  return code;
}

}  // namespace pollflow::ctl
