#include "discovery/dns_lookup.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>

#include <cstring>

#include "base/go_format.h"
#include "base/strings.h"

namespace narthex::discovery {
namespace {

constexpr size_t kMaxAnswer = 64 << 10;

int TypeNumber(const std::string& type) {
  if (type == "A") return ns_t_a;
  if (type == "AAAA") return ns_t_aaaa;
  if (type == "MX") return ns_t_mx;
  if (type == "NS") return ns_t_ns;
  return ns_t_srv;
}

// A name within the answer, uncompressed; "" if it is broken.
std::string ReadName(const ns_msg& message, const unsigned char* at) {
  char name[NS_MAXDNAME];
  if (ns_name_uncompress(ns_msg_base(message), ns_msg_end(message), at, name, sizeof name) < 0) return "";
  return name;
}

// The record that `rr` says; an empty target if it is not of the type or is broken.
DnsRecord ReadRecord(const ns_msg& message, const ns_rr& rr, int type) {
  const unsigned char* data = ns_rr_rdata(rr);
  const size_t size = ns_rr_rdlen(rr);
  DnsRecord record;
  if (ns_rr_type(rr) != type) return record;
  char address[INET6_ADDRSTRLEN] = "";
  if (type == ns_t_a && size == 4) {
    record.target = inet_ntop(AF_INET, data, address, sizeof address);
  } else if (type == ns_t_aaaa && size == 16) {
    record.target = inet_ntop(AF_INET6, data, address, sizeof address);
  } else if (type == ns_t_srv && size > 6) {
    record.port = ns_get16(data + 4);
    record.target = ReadName(message, data + 6);
  } else if (type == ns_t_mx && size > 2) {
    record.target = ReadName(message, data + 2);
  } else if (type == ns_t_ns && size > 0) {
    record.target = ReadName(message, data);
  }
  return record;
}

// Resolver state of one question: res_ninit reads resolv.conf afresh, so that its changes are followed.
class Resolver {
 public:
  Resolver() { ok_ = res_ninit(&state_) == 0; }
  ~Resolver() {
    if (ok_) res_nclose(&state_);
  }
  bool ok() const { return ok_; }
  void Use(const DnsServer& server) {
    state_.nscount = 1;
    state_.nsaddr_list[0].sin_family = AF_INET;
    state_.nsaddr_list[0].sin_port = htons(static_cast<uint16_t>(server.port));
    inet_pton(AF_INET, server.ip.c_str(), &state_.nsaddr_list[0].sin_addr);
    state_.retrans = 1;
    state_.retry = 1;
    state_.options &= ~static_cast<unsigned long>(RES_DNSRCH | RES_DEFNAMES);
  }
  int Search(const std::string& name, int type, std::vector<unsigned char>* answer) {
    return res_nsearch(&state_, name.c_str(), ns_c_in, type, answer->data(),
                       static_cast<int>(answer->size()));
  }
  int error() const { return state_.res_h_errno; }

 private:
  struct __res_state state_ {};
  bool ok_ = false;
};

}  // namespace

absl::StatusOr<std::vector<DnsRecord>> ParseDnsAnswer(std::span<const unsigned char> answer,
                                                      const std::string& type) {
  const int number = TypeNumber(type);
  const absl::Status broken = absl::InvalidArgumentError("broken answer");
  ns_msg message;
  if (ns_initparse(answer.data(), static_cast<int>(answer.size()), &message) != 0) return broken;
  std::vector<DnsRecord> records;
  for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
    ns_rr rr;
    if (ns_parserr(&message, ns_s_an, i, &rr) != 0) return broken;
    DnsRecord record = ReadRecord(message, rr, number);
    while (record.target.ends_with(".")) record.target.pop_back();
    if (!record.target.empty()) records.push_back(std::move(record));
  }
  return records;
}

absl::StatusOr<std::vector<DnsRecord>> LookupDns(const std::string& name, const std::string& type,
                                                 const DnsServer* server) {
  auto failed = [&name](std::string_view reason) {
    return absl::UnavailableError(StrCat("could not resolve ", GoQuote(name), ": ", reason));
  };
  Resolver resolver;
  if (!resolver.ok()) return failed("could not load resolv.conf");
  if (server != nullptr) resolver.Use(*server);
  std::vector<unsigned char> answer(kMaxAnswer);
  const int size = resolver.Search(name, TypeNumber(type), &answer);
  if (size < 0) {
    // That there is nothing is an answer too: the targets are gone.
    if (resolver.error() == HOST_NOT_FOUND || resolver.error() == NO_DATA) return std::vector<DnsRecord>();
    return failed(resolver.error() == TRY_AGAIN ? "no servers returned a viable answer"
                                                : hstrerror(resolver.error()));
  }
  absl::StatusOr<std::vector<DnsRecord>> records =
      ParseDnsAnswer(std::span(answer).first(std::min(static_cast<size_t>(size), answer.size())), type);
  if (!records.ok()) return failed(std::string(records.status().message()));
  return records;
}

}  // namespace narthex::discovery
