#include "promql/functions/histogram_sum.h"

#include "promql/functions/annotation_texts.h"

namespace narthex::promql {

bool Accumulate(const FloatHistogram& other, bool subtract, CallContext* context, FloatHistogram* h) {
  bool reconciled = false;
  if (!h->Add(other, nullptr, &reconciled, subtract).ok()) {
    context->Annotate(MixedBucketSchemasText(context->MetricName()));
    return false;
  }
  if (reconciled) context->Annotate(CustomBucketsReconciledText(subtract ? "subtraction" : "addition"));
  return true;
}

}  // namespace narthex::promql
