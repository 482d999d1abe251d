#pragma once

/// \file
/// What happens when outliers are taken away, at coordinates that were found: on activations, on weights, and the causal chain of the
/// paper in one call. docs/observers.md is the tour.

#include <attnlab/analysis/interventions/at_outliers.hpp>
#include <attnlab/analysis/interventions/causal_chain.hpp>
#include <attnlab/analysis/interventions/change.hpp>
#include <attnlab/analysis/interventions/sink_as_scale.hpp>
#include <attnlab/analysis/interventions/weight_edit.hpp>
#include <attnlab/analysis/position_losses.hpp>
