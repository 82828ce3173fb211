//! What is asked: the values of the sliders.

use dyno_measure::words::grouped;

/// One slider: its name in addresses and forms, its words and bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SliderField {
    pub name: &'static str,
    pub label: &'static str,
    pub unit: &'static str,
    pub least: u32,
    pub most: u32,
    /// Where the slider stops; the field beside it takes any whole number within the bounds.
    pub stops: &'static [u32],
}

/// Degrees of tensor parallelism that are offered.
pub const DEGREES: [u32; 4] = [1, 2, 4, 8];

pub const CONCURRENCY: SliderField = SliderField {
    name: "concurrency",
    label: "Requests in flight",
    unit: "requests",
    least: 1,
    most: 1024,
    stops: &[1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024],
};
pub const INPUT: SliderField = SliderField {
    name: "input",
    label: "Input length",
    unit: "tokens",
    least: 1,
    most: 131_072,
    stops: &[
        16, 32, 64, 128, 256, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12_288, 16_384, 24_576, 32_768, 49_152, 65_536,
        98_304, 131_072,
    ],
};
pub const OUTPUT: SliderField = SliderField {
    name: "output",
    label: "Output length",
    unit: "tokens",
    least: 1,
    most: 16_384,
    stops: &[1, 8, 16, 32, 64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12_288, 16_384],
};
pub const DEVICES: SliderField = SliderField {
    name: "devices",
    label: "Devices",
    unit: "devices",
    least: 1,
    most: 64,
    stops: &[1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64],
};
pub const TENSOR_PARALLEL: SliderField = SliderField {
    name: "tensor_parallel",
    label: "Devices of each replica (tensor parallel)",
    unit: "devices",
    least: 1,
    most: 8,
    stops: &DEGREES,
};

/// In the order in which values are passed.
pub const FIELDS: [SliderField; 5] = [CONCURRENCY, INPUT, OUTPUT, DEVICES, TENSOR_PARALLEL];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WhatIfQuestion {
    pub concurrency: u32,
    pub input: u32,
    pub output: u32,
    pub devices: u32,
    pub tensor_parallel: u32,
}

/// Why values are no question; a sentence for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvalidSlider {
    OutOfBounds(SliderField),
    /// A replica on more devices than there are.
    TooFewDevices(WhatIfQuestion),
}

impl std::fmt::Display for InvalidSlider {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::OutOfBounds(SliderField { label, least, most, .. }) => {
                write!(formatter, "{label}: a whole number from {least} to {}.", grouped((*most).into()))
            }
            Self::TooFewDevices(question) => {
                write!(formatter, "A replica on {} devices needs as many, not {}.", question.tensor_parallel, question.devices)
            }
        }
    }
}

impl std::error::Error for InvalidSlider {}

impl WhatIfQuestion {
    /// The value of each field, in their order; what is no whole number within its bounds is refused.
    pub fn of(values: [f64; 5]) -> Result<Self, InvalidSlider> {
        let mut whole = [0_u32; 5];
        for ((whole, field), value) in whole.iter_mut().zip(FIELDS).zip(values) {
            let within = value >= f64::from(field.least) && value <= f64::from(field.most) && value.fract() == 0.0;
            if !within {
                return Err(InvalidSlider::OutOfBounds(field));
            }
            *whole = value as u32;
        }
        let [concurrency, input, output, devices, tensor_parallel] = whole;
        let question = Self { concurrency, input, output, devices, tensor_parallel };
        if !DEGREES.contains(&tensor_parallel) {
            return Err(InvalidSlider::OutOfBounds(TENSOR_PARALLEL));
        }
        if tensor_parallel > devices {
            return Err(InvalidSlider::TooFewDevices(question));
        }
        Ok(question)
    }

    pub fn values(&self) -> [u32; 5] {
        [self.concurrency, self.input, self.output, self.devices, self.tensor_parallel]
    }

    /// The nearest question within the bounds of all fields.
    #[must_use]
    pub fn within_bounds(self) -> Self {
        let [concurrency, input, output, devices, degree] = self.values();
        let within = |value: u32, field: SliderField| value.clamp(field.least, field.most);
        let devices = within(devices, DEVICES);
        let degree = DEGREES.into_iter().rev().find(|&offered| offered <= degree && offered <= devices).unwrap_or(1);
        Self {
            concurrency: within(concurrency, CONCURRENCY),
            input: within(input, INPUT),
            output: within(output, OUTPUT),
            devices,
            tensor_parallel: degree,
        }
    }

    pub fn replicas(&self) -> u32 {
        self.devices / self.tensor_parallel
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_numbers_within_the_bounds_are_a_question() {
        let of = |values| WhatIfQuestion::of(values).map_err(|invalid| invalid.to_string());
        let asked = of([16.0, 512.0, 128.0, 8.0, 2.0]).unwrap();
        assert_eq!((asked.values(), asked.replicas()), ([16, 512, 128, 8, 2], 4));
        assert_eq!(of([0.0, 512.0, 128.0, 8.0, 2.0]).unwrap_err(), "Requests in flight: a whole number from 1 to 1,024.");
        for wrong in [f64::NAN, f64::INFINITY, -1.0, 1.5, 1e9] {
            assert!(of([16.0, wrong, 128.0, 8.0, 2.0]).unwrap_err().starts_with("Input length"), "{wrong}");
        }
        assert!(of([16.0, 512.0, 128.0, 8.0, 3.0]).unwrap_err().starts_with("Devices of each replica"));
        assert_eq!(of([16.0, 512.0, 128.0, 3.0, 4.0]).unwrap_err(), "A replica on 4 devices needs as many, not 3.");
    }

    #[test]
    fn every_stop_is_within_the_bounds_and_the_nearest_question_is_one() {
        for field in FIELDS {
            assert!(field.stops.is_sorted() && field.stops.iter().all(|stop| (field.least..=field.most).contains(stop)));
            assert_eq!(field.stops.last(), Some(&field.most), "{}", field.name);
        }
        let far = WhatIfQuestion { concurrency: 0, input: u32::MAX, output: 0, devices: 3, tensor_parallel: 5 }.within_bounds();
        assert_eq!(far.values(), [1, 131_072, 1, 3, 2]);
        assert_eq!(WhatIfQuestion::of(far.values().map(f64::from)), Ok(far));
    }
}
