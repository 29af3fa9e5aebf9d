//! Service tiers under one name each.

/// The tier that list prices are for.
pub const STANDARD: &str = "standard";

/// The tier in the words of the price book; none for the standard one.
///
/// Sources: `service_tier` of OpenAI (`fast` is served and reported as `priority`) and Anthropic, `trafficType` of
/// Vertex.
pub fn canonical(tier: &str) -> Option<String> {
    match tier.trim().to_ascii_lowercase().as_str() {
        "" | "auto" | "default" | STANDARD | "standard_only" | "on_demand" | "traffic_type_unspecified" => None,
        "on_demand_flex" => Some("flex".to_owned()),
        "on_demand_priority" => Some("priority".to_owned()),
        "batches" | "batch_api" => Some("batch".to_owned()),
        "provisioned_throughput" => Some("provisioned".to_owned()),
        other => Some(other.to_owned()),
    }
}
