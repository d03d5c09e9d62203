#include "scraper/series_budget.h"

namespace narthex::scraper {

SeriesBudget::SeriesBudget(int64_t limit, int64_t job_limit, MetricsRegistry* metrics)
    : all_(std::make_shared<SeriesAccount>(limit, nullptr)), job_limit_(job_limit) {
  using Points = std::vector<std::pair<MetricLabels, double>>;
  metrics->AddCallback("narthex_scrape_series", "Series that scraped targets have now.", "gauge",
                       [all = all_] {
                         return Points{{{}, static_cast<double>(all->used())}};
                       });
  metrics->AddCallback("narthex_scrape_series_limit",
                       "Limit on the series of all targets together, 0 = none.", "gauge", [limit] {
                         return Points{{{}, static_cast<double>(limit)}};
                       });
}

std::shared_ptr<SeriesAccount> SeriesBudget::Job(const std::string& job) {
  MutexLock lock(&mutex_);
  std::shared_ptr<SeriesAccount>& account = jobs_[job];
  if (account == nullptr) account = std::make_shared<SeriesAccount>(job_limit_, all_);
  return account;
}

}  // namespace narthex::scraper
