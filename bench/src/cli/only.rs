use std::str::FromStr;

use clap::ValueEnum;

use crate::scenario::Scenario;

/// One scenario, or all whose names begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Only(pub Vec<Scenario>);

impl FromStr for Only {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let group = format!("{text}-");
        let named = |scenario: &&Scenario| {
            let name = scenario.to_string();
            name == text || name.starts_with(&group)
        };
        let all = Scenario::value_variants();
        let found: Vec<Scenario> = all.iter().filter(named).copied().collect();
        if found.is_empty() {
            let names: Vec<String> = all.iter().map(ToString::to_string).collect();
            return Err(format!("there are {}", names.join(", ")));
        }
        Ok(Self(found))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_named_alone_or_with_its_kind() {
        assert_eq!("get".parse(), Ok(Only(vec![Scenario::Get])));
        assert_eq!("put".parse(), Ok(Only(vec![Scenario::PutDisk, Scenario::PutTmpfs])));
        assert_eq!("cluster".parse::<Only>().map(|only| only.0.len()), Ok(4));
        let error = "pu".parse::<Only>().expect_err("no name begins with pu-");
        assert!(error.contains("put-disk, put-tmpfs"), "{error}");
    }
}
