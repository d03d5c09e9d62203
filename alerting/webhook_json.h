// The body of a webhook, as Alertmanager sends it (version 4).
#pragma once

#include <span>
#include <string>

#include "alerting/alerting.h"

namespace narthex::alerting {

// The labels that alerts of one group have in common by configuration.
Labels GroupLabels(const WebhookConfig& config, const Labels& labels);

// REQUIRES: the alerts, at least one, are of one group.
std::string EncodeWebhook(const WebhookConfig& config, const std::string& external_url,
                          std::span<const rules::Notification> alerts);

}  // namespace narthex::alerting
