// dns_sd_configs: records to addresses.
#include "base/status_macros.h"
#include "base/strings.h"
#include "discovery/dns_lookup.h"
#include "discovery/sources.h"

namespace narthex::discovery {
namespace {

class DnsSource : public Source {
 public:
  DnsSource(const Configs::DnsSd& config, const std::string& name, const WatcherOptions& options)
      : config_(config), name_(name), lookup_(options.dns), metrics_(options.metrics) {
    if (!lookup_) {
      lookup_ = [](const std::string& name, const std::string& type) { return LookupDns(name, type); };
    }
  }

  absl::StatusOr<std::vector<TargetGroup>> Ask() override {
    absl::StatusOr<std::vector<DnsRecord>> records = lookup_(name_, config_.type);
    if (metrics_ != nullptr) {
      metrics_->GetCounter("prometheus_sd_dns_lookups_total", "The number of DNS-SD lookups.")->Add();
      metrics_->GetCounter("prometheus_sd_dns_lookup_failures_total", "The number of DNS-SD lookup failures.")
          ->Add(records.ok() ? 0 : 1);
    }
    RETURN_IF_ERROR(records.status());
    TargetGroup group;
    group.source = name_;
    for (const DnsRecord& record : *records) group.targets.push_back(Target(record));
    return std::vector<TargetGroup>{std::move(group)};
  }
  int64_t refresh_interval_ms() const override { return config_.refresh_interval_ms; }
  std::string mechanism() const override { return "dns"; }
  std::string address() const override { return name_; }

 private:
  Labels Target(const DnsRecord& record) const {
    const std::string& type = config_.type;
    const int64_t port = type == "SRV" ? record.port : config_.port;
    const bool v6 = record.target.find(':') != std::string::npos;
    LabelsBuilder labels;
    labels.Set("__address__", v6 ? StrCat("[", record.target, "]:", port) : StrCat(record.target, ":", port));
    labels.Set("__meta_dns_name", name_);
    labels.Set("__meta_dns_srv_record_target", type == "SRV" ? StrCat(record.target, ".") : "");
    labels.Set("__meta_dns_srv_record_port", type == "SRV" ? StrCat(port) : "");
    labels.Set("__meta_dns_mx_record_target", type == "MX" ? StrCat(record.target, ".") : "");
    labels.Set("__meta_dns_ns_record_target", type == "NS" ? StrCat(record.target, ".") : "");
    return labels.Build();
  }

  const Configs::DnsSd config_;
  const std::string name_;
  DnsLookup lookup_;
  MetricsRegistry* const metrics_;
};

}  // namespace

std::unique_ptr<Source> NewDnsSource(const Configs::DnsSd& config, const std::string& name,
                                     const WatcherOptions& options) {
  return std::make_unique<DnsSource>(config, name, options);
}

}  // namespace narthex::discovery
