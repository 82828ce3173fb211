//! Profiles fitted on published measurements: printed by `cargo run --release --features cli --example fit -- TABLE.csv fit`.

#![allow(clippy::approx_constant, reason = "a fitted factor may come close to a constant of mathematics by chance")]

use strum::VariantArray as _;

use super::{Efficiency, ErrorBar, Factor, Profile, Standing};
use crate::device;
use crate::engine::Engine::{self, Sglang, TensorRtLlm, Vllm};
use crate::engine::EngineVersion;
use crate::precision::{KvPrecision, Precision};

/// One profile: device, engine, version, precision, whether of mixtures, format of the KV cache, runs, the most requests in flight
/// on one copy, errors of TTFT, TPOT and E2E (90th percentile), and the factors in the order of `Factor::VARIANTS`.
struct FittedRow(
    &'static str,
    Engine,
    Option<(u32, u32)>,
    Precision,
    bool,
    KvPrecision,
    u32,
    u32,
    [Option<f64>; 3],
    [f64; Factor::VARIANTS.len()],
);

impl FittedRow {
    /// `None` where the device is not in the catalogue.
    fn profile(&self) -> Option<Profile> {
        let &Self(name, engine, version, precision, mixture, kv_precision, runs, most_in_flight, [ttft, tpot, e2el], factors) =
            self;
        let device = device::find(name).ok()?;
        let mut efficiency = Efficiency::generic(device.generation);
        for (factor, value) in Factor::VARIANTS.iter().zip(factors) {
            *efficiency.get_mut(*factor) = value;
        }
        Some(Profile {
            device: device.name,
            generation: device.generation,
            engine,
            version: version.map(|(major, minor)| EngineVersion { major, minor }),
            precision,
            mixture,
            kv_precision,
            efficiency,
            standing: Standing::Prior,
            runs,
            most_in_flight: Some(most_in_flight),
            error_pct: ErrorBar { ttft, tpot, e2el },
        })
    }
}

pub(super) fn profiles() -> Vec<Profile> {
    ROWS.iter().filter_map(FittedRow::profile).collect()
}

#[rustfmt::skip]
const ROWS: &[FittedRow] = &[
    FittedRow("A100-SXM-40GB", Sglang, Some((0, 5)), Precision::Bf16, false, KvPrecision::Bits16, 2, 1, [None; 3],
        [0.8221, 56.0830, 0.3000, 0.9638, 0.8000, 0.8525, 0.4653, 0.6000, 8.0000, 979.0419, 29.3957, 9.9978, 979.4043, 16.9756, 2.4523]),
    FittedRow("A100-SXM-40GB", TensorRtLlm, None, Precision::Bf16, false, KvPrecision::Bits16, 70, 64, [None; 3],
        [0.7264, 43.6609, 0.3000, 1.0000, 0.8000, 0.7155, 0.3821, 0.5069, 10.1545, 2426.3240, 20.3633, 11.3247, 996.2746, 21.5718, 2.5367]),
    FittedRow("A100-SXM-40GB", TensorRtLlm, None, Precision::Bf16, true, KvPrecision::Bits16, 3, 64, [None; 3],
        [0.8466, 59.8714, 0.4932, 1.0000, 1.7965, 0.8748, 0.4002, 0.6323, 8.3691, 2425.8203, 25.7051, 9.4108, 999.0844, 25.4345, 2.5025]),
    FittedRow("A100-SXM-40GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 3, 1, [None; 3],
        [0.7351, 89.4177, 0.3000, 1.0000, 0.8000, 0.7192, 0.5906, 0.3485, 13.8344, 914.9702, 54.9309, 11.6258, 992.3772, 18.6403, 2.4008]),
    FittedRow("A100-SXM-40GB", Vllm, None, Precision::Bf16, false, KvPrecision::Bits16, 53, 64, [None; 3],
        [0.4985, 61.7615, 0.3000, 1.0000, 0.8000, 0.7146, 0.5501, 0.2734, 19.2092, 909.5968, 52.3199, 15.7060, 1001.3038, 18.9331, 2.4157]),
    FittedRow("A100-SXM-40GB", Vllm, None, Precision::Bf16, true, KvPrecision::Bits16, 9, 64, [None; 3],
        [0.5528, 61.3620, 0.4391, 0.8952, 1.0354, 0.7615, 0.3298, 0.5146, 10.1981, 1810.0326, 79.5336, 9.9643, 1005.8428, 25.9484, 2.5026]),
    FittedRow("A100-SXM-80GB", Vllm, Some((0, 11)), Precision::Bf16, false, KvPrecision::Bits16, 4, 500, [None; 3],
        [0.6285, 98.3038, 0.3000, 1.0000, 0.8000, 0.7375, 0.5512, 0.3707, 14.0388, 937.6605, 58.5771, 11.6276, 994.3664, 19.1002, 2.4134]),
    FittedRow("A100-SXM-80GB", Vllm, Some((0, 11)), Precision::Bf16, true, KvPrecision::Bits16, 4, 1000, [None; 3],
        [0.4375, 61.2860, 0.4068, 0.8316, 0.8999, 0.7188, 0.3941, 0.5501, 9.3099, 1420.4462, 56.0264, 9.9921, 1007.0916, 25.6636, 2.5017]),
    FittedRow("A100-SXM-80GB", Vllm, Some((0, 11)), Precision::Mxfp4, true, KvPrecision::Bits16, 7, 1000, [None; 3],
        [0.7518, 60.9084, 0.5708, 0.9217, 0.9902, 0.7868, 0.2713, 0.5159, 9.3310, 1411.6287, 56.0757, 9.9130, 1003.8162, 25.6275, 2.5020]),
    FittedRow("A100-SXM-80GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 2, 1, [None; 3],
        [0.6694, 107.5313, 0.3000, 1.0000, 0.8000, 0.6045, 0.6051, 0.3707, 14.0388, 952.5289, 60.4882, 11.6317, 991.2470, 18.3623, 2.3958]),
    FittedRow("A100-SXM-80GB", Vllm, None, Precision::Bf16, false, KvPrecision::Bits16, 48, 64, [None; 3],
        [0.8570, 47.0699, 0.3000, 1.0000, 0.8000, 0.8081, 0.5187, 0.2394, 18.4008, 1015.5760, 262.7346, 11.5935, 969.7800, 11.8272, 2.3367]),
    FittedRow("A800-SXM-80GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 2, 1, [None; 3],
        [0.7564, 94.4260, 0.3000, 1.0000, 0.8000, 0.6813, 0.5871, 0.3707, 14.0388, 930.5300, 57.7064, 11.6283, 986.6020, 16.8850, 2.3936]),
    FittedRow("B200-SXM-180GB", TensorRtLlm, Some((1, 0)), Precision::Mxfp4, true, KvPrecision::Bits16, 25, 256, [Some(68.5), Some(22.0), Some(23.0)],
        [0.4051, 60.2555, 0.3127, 1.0000, 1.1951, 0.9996, 0.4704, 0.2607, 5.0343, 1194.4865, 16.4510, 12.1515, 1177.7403, 24.5417, 1.5956]),
    FittedRow("B200-SXM-180GB", TensorRtLlm, Some((1, 0)), Precision::Nvfp4, false, KvPrecision::Bits8, 12, 3000, [None; 3],
        [0.4552, 52.8605, 0.3000, 0.9967, 0.8000, 0.7632, 0.4161, 0.4953, 5.8305, 2146.0952, 21.5941, 11.2535, 1016.0430, 31.3569, 2.1422]),
    FittedRow("B200-SXM-180GB", TensorRtLlm, None, Precision::Fp8, false, KvPrecision::Bits16, 60, 128, [Some(14.6), Some(9.3), Some(9.3)],
        [0.5850, 52.4752, 0.3000, 0.9674, 0.8000, 0.7487, 0.4309, 0.4158, 4.8232, 1884.9757, 20.3358, 12.6208, 1051.1534, 30.2145, 1.9526]),
    FittedRow("B200-SXM-180GB", TensorRtLlm, None, Precision::Mxfp4, true, KvPrecision::Bits16, 6, 64, [None; 3],
        [0.4263, 59.7464, 0.3182, 1.0000, 0.8956, 0.9903, 0.4413, 0.3135, 6.4569, 1266.2523, 18.9046, 14.6807, 1135.9870, 32.5344, 1.8888]),
    FittedRow("B200-SXM-180GB", TensorRtLlm, None, Precision::Nvfp4, false, KvPrecision::Bits16, 36, 128, [Some(28.0), Some(15.9), Some(15.6)],
        [0.5435, 51.2688, 0.3000, 0.7932, 0.8000, 0.6869, 0.3879, 0.4493, 5.1947, 2525.9952, 22.1187, 10.9186, 1021.0428, 34.3823, 2.0804]),
    FittedRow("B200-SXM-180GB", Vllm, Some((0, 15)), Precision::Mxfp4, true, KvPrecision::Bits16, 45, 128, [Some(26.7), Some(10.4), Some(10.6)],
        [0.4510, 58.3769, 0.2546, 1.0000, 1.0523, 0.9775, 0.4907, 0.3208, 11.1464, 537.6429, 41.0865, 7.9237, 1072.8953, 22.4615, 1.7009]),
    FittedRow("B200-SXM-180GB", Vllm, Some((0, 17)), Precision::Fp8, true, KvPrecision::Bits16, 3, 64, [None; 3],
        [0.3030, 58.4513, 0.1835, 0.8888, 0.7940, 0.8624, 0.3927, 0.2142, 14.1736, 530.5826, 45.4395, 9.2133, 1067.1280, 23.3142, 2.0609]),
    FittedRow("B200-SXM-180GB", Vllm, Some((0, 19)), Precision::Fp8, true, KvPrecision::Bits16, 19, 256, [Some(58.7), Some(46.5), Some(43.6)],
        [0.4232, 58.5276, 0.2505, 1.0000, 1.1503, 1.0000, 0.4071, 0.2259, 17.5027, 554.7193, 68.6770, 8.9560, 1065.3617, 24.6961, 2.1212]),
    FittedRow("B200-SXM-180GB", Vllm, Some((0, 19)), Precision::Nvfp4, true, KvPrecision::Bits16, 24, 512, [Some(38.9), Some(15.2), Some(15.2)],
        [0.4454, 58.6102, 0.2652, 0.9852, 0.9152, 0.9857, 0.4596, 0.1494, 11.6050, 532.9674, 52.2705, 11.1523, 1086.7903, 25.5029, 1.9697]),
    FittedRow("B200-SXM-180GB", Vllm, None, Precision::Fp8, false, KvPrecision::Bits16, 40, 64, [Some(38.8), Some(12.2), Some(13.7)],
        [0.4752, 42.7468, 0.3000, 0.8484, 0.8000, 0.9495, 0.3585, 0.2254, 5.8835, 1074.7543, 35.1602, 10.7728, 1088.5894, 46.4344, 1.8905]),
    FittedRow("B200-SXM-180GB", Vllm, None, Precision::Mxfp4, true, KvPrecision::Bits16, 10, 64, [Some(26.1), Some(7.5), Some(8.0)],
        [0.4115, 58.4170, 0.2449, 0.9071, 0.8019, 0.8687, 0.4061, 0.1978, 12.6346, 490.2744, 45.4275, 9.4066, 1069.3361, 24.3638, 1.9843]),
    FittedRow("B200-SXM-180GB", Vllm, None, Precision::Nvfp4, false, KvPrecision::Bits16, 40, 64, [Some(23.3), Some(6.5), Some(6.7)],
        [0.4607, 43.7395, 0.3000, 0.7065, 0.8000, 0.7715, 0.3118, 0.3138, 6.3922, 1172.7273, 41.1218, 10.1143, 1049.5689, 44.7252, 2.1792]),
    FittedRow("B200-SXM-180GB", Vllm, None, Precision::Nvfp4, true, KvPrecision::Bits16, 13, 256, [Some(54.8), Some(55.5), Some(56.3)],
        [0.5053, 58.4613, 0.2948, 0.9405, 0.7162, 1.0000, 0.4734, 0.1166, 17.1447, 562.9239, 47.0016, 11.4555, 1142.8409, 34.4437, 2.0391]),
    FittedRow("GH200-96GB", TensorRtLlm, None, Precision::Bf16, false, KvPrecision::Bits16, 15, 64, [None; 3],
        [0.7576, 48.4657, 0.3000, 1.0000, 0.8000, 0.9092, 0.4035, 0.5291, 7.2440, 1253.1199, 19.7688, 12.7570, 1151.4842, 22.2624, 2.5882]),
    FittedRow("GH200-96GB", Vllm, None, Precision::Bf16, false, KvPrecision::Bits16, 14, 64, [None; 3],
        [0.4534, 63.1735, 0.3000, 0.8572, 0.8000, 0.7303, 0.4560, 0.6879, 5.8726, 1729.3737, 34.3960, 14.4547, 948.8200, 20.2594, 2.2507]),
    FittedRow("H100-SXM-80GB", TensorRtLlm, Some((1, 0)), Precision::Bf16, false, KvPrecision::Bits16, 99, 128, [None, Some(17.5), None],
        [0.7429, 42.9576, 0.3000, 0.9418, 0.8000, 1.0000, 0.3524, 0.6078, 5.4182, 1135.9284, 16.7407, 22.9889, 1278.2120, 20.4820, 2.5966]),
    FittedRow("H100-SXM-80GB", TensorRtLlm, Some((1, 0)), Precision::Fp8, false, KvPrecision::Bits8, 128, 30000, [None, Some(22.5), None],
        [0.4684, 45.2117, 0.3000, 0.9998, 0.8000, 1.0000, 0.4023, 0.4846, 6.5825, 1972.2185, 26.3180, 10.2211, 1409.2547, 21.9384, 2.5974]),
    FittedRow("H100-SXM-80GB", TensorRtLlm, None, Precision::Bf16, false, KvPrecision::Bits16, 58, 64, [None; 3],
        [0.4932, 51.5891, 0.3000, 0.8916, 0.8000, 0.9643, 0.3975, 0.4556, 11.0942, 1219.7398, 23.2402, 13.8866, 1144.7288, 20.1526, 2.5994]),
    FittedRow("H100-SXM-80GB", TensorRtLlm, None, Precision::Bf16, true, KvPrecision::Bits16, 9, 64, [None; 3],
        [0.7953, 61.3624, 0.4914, 0.9908, 2.7242, 0.6825, 0.4338, 0.2889, 7.1529, 2566.4802, 35.5396, 10.1987, 1109.4017, 39.2240, 2.5016]),
    FittedRow("H100-SXM-80GB", TensorRtLlm, None, Precision::Fp8, false, KvPrecision::Bits16, 1, 1, [None; 3],
        [0.6775, 52.5886, 0.3000, 0.8065, 0.8000, 0.8911, 0.4052, 0.5492, 7.3411, 1588.9882, 22.6580, 13.9513, 1148.1994, 20.5215, 2.5667]),
    FittedRow("H100-SXM-80GB", Vllm, Some((0, 10)), Precision::Mxfp4, true, KvPrecision::Bits16, 4, 1000, [None; 3],
        [0.5878, 57.4353, 0.3176, 0.6536, 0.7451, 1.0000, 0.4286, 0.4111, 9.5627, 713.1606, 45.0414, 8.8586, 983.8272, 30.1346, 2.8225]),
    FittedRow("H100-SXM-80GB", Vllm, Some((0, 11)), Precision::Bf16, false, KvPrecision::Bits16, 7, 1000, [None; 3],
        [0.3817, 63.1718, 0.3000, 0.4925, 0.8000, 0.7038, 0.5323, 0.6879, 5.8726, 1769.1927, 36.3958, 12.2958, 951.8646, 21.3475, 2.2604]),
    FittedRow("H100-SXM-80GB", Vllm, Some((0, 11)), Precision::Bf16, true, KvPrecision::Bits16, 5, 1000, [None; 3],
        [0.7328, 57.4202, 0.3888, 0.8106, 0.9204, 1.0000, 0.2279, 0.5038, 9.3803, 708.4712, 43.0848, 8.7609, 982.1489, 30.0814, 2.8228]),
    FittedRow("H100-SXM-80GB", Vllm, Some((0, 11)), Precision::Mxfp4, true, KvPrecision::Bits8, 5, 512, [None; 3],
        [0.6164, 57.4343, 0.3319, 0.6540, 0.7456, 1.0000, 0.4430, 0.4111, 9.5627, 713.1202, 45.0344, 8.8712, 983.5329, 29.9855, 2.8224]),
    FittedRow("H100-SXM-80GB", Vllm, Some((0, 12)), Precision::Bf16, false, KvPrecision::Bits16, 55, 128, [Some(53.0), Some(17.9), Some(15.9)],
        [0.4798, 40.9248, 0.3000, 0.9960, 0.8000, 0.9826, 0.4028, 0.6862, 5.4831, 1958.0487, 33.1110, 12.0603, 730.6687, 22.7039, 2.6076]),
    FittedRow("H100-SXM-80GB", Vllm, Some((0, 18)), Precision::Fp8, true, KvPrecision::Bits16, 10, 64, [Some(44.0), Some(13.8), Some(13.7)],
        [0.4780, 57.5319, 0.2638, 0.8640, 1.0236, 1.0000, 0.4122, 0.3650, 11.1450, 776.3714, 77.1717, 8.7526, 989.9814, 28.7701, 2.7697]),
    FittedRow("H100-SXM-80GB", Vllm, Some((0, 18)), Precision::Mxfp4, true, KvPrecision::Bits16, 23, 64, [Some(29.7), Some(20.2), Some(20.2)],
        [0.5690, 57.1903, 0.3058, 0.8998, 0.9585, 1.0000, 0.4282, 0.3866, 9.5497, 711.9126, 46.3521, 9.1246, 958.1788, 24.1179, 2.8186]),
    FittedRow("H100-SXM-80GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 1, 1, [None; 3],
        [0.5494, 56.5897, 0.3000, 0.9649, 0.8000, 0.7594, 0.4533, 0.6879, 5.8726, 1632.8173, 33.8835, 12.2041, 937.2068, 16.2988, 2.2408]),
    FittedRow("H100-SXM-80GB", Vllm, None, Precision::Bf16, false, KvPrecision::Bits16, 111, 64, [None; 3],
        [0.6175, 52.5448, 0.3000, 0.8276, 0.8000, 0.7804, 0.4265, 0.4767, 26.3193, 1033.0620, 48.9805, 41.9504, 935.4291, 14.9999, 2.1674]),
    FittedRow("H100-SXM-80GB", Vllm, None, Precision::Fp8, false, KvPrecision::Bits16, 30, 64, [Some(20.7), Some(8.8), Some(7.7)],
        [0.5380, 52.1809, 0.3000, 1.0000, 0.8000, 0.4466, 0.4669, 0.7543, 6.0196, 1849.1074, 41.5256, 13.2736, 945.9333, 20.3860, 2.1508]),
    FittedRow("H100-SXM-80GB", Vllm, None, Precision::Mxfp4, true, KvPrecision::Bits16, 4, 512, [None; 3],
        [0.5817, 57.4410, 0.3148, 0.5865, 0.6744, 1.0000, 0.4272, 0.3916, 9.7585, 728.1983, 46.8197, 8.9346, 984.9392, 29.9318, 2.8261]),
    FittedRow("H20-3e-141GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 1, 1, [None; 3],
        [0.4269, 54.8915, 0.3000, 0.8770, 0.8000, 0.7592, 0.4529, 0.6804, 5.8483, 1702.2548, 34.5829, 12.2079, 954.6835, 22.9370, 2.2642]),
    FittedRow("H200-SXM-141GB", Sglang, Some((0, 5)), Precision::Fp8, false, KvPrecision::Bits16, 28, 512, [None, Some(11.4), None],
        [0.3011, 61.9535, 0.3000, 0.7730, 0.8000, 1.0000, 0.3112, 0.3985, 8.4224, 1211.1653, 36.0113, 15.3856, 1008.1855, 25.0007, 2.5443]),
    FittedRow("H200-SXM-141GB", TensorRtLlm, Some((1, 0)), Precision::Fp8, false, KvPrecision::Bits8, 16, 30000, [None; 3],
        [0.6322, 44.0877, 0.3000, 1.0000, 0.8000, 0.9968, 0.3867, 0.6217, 7.3185, 1417.5756, 20.4875, 11.5301, 1164.1540, 23.7812, 2.5905]),
    FittedRow("H200-SXM-141GB", TensorRtLlm, None, Precision::Fp8, false, KvPrecision::Bits16, 54, 128, [Some(16.2), Some(9.4), Some(10.5)],
        [0.6546, 49.3572, 0.3000, 1.0000, 0.8000, 0.9349, 0.4352, 0.5725, 6.5499, 1414.4421, 20.1037, 15.6070, 1173.9557, 24.0867, 2.3164]),
    FittedRow("H200-SXM-141GB", TensorRtLlm, None, Precision::Mxfp4, true, KvPrecision::Bits16, 31, 64, [Some(62.3), Some(21.3), Some(21.7)],
        [0.7627, 61.2960, 0.4641, 0.8927, 1.3151, 0.7447, 0.4479, 0.1944, 7.0057, 2935.5943, 39.4022, 12.4603, 1169.7902, 59.7304, 2.1508]),
    FittedRow("H200-SXM-141GB", Vllm, Some((0, 11)), Precision::Bf16, true, KvPrecision::Bits16, 3, 1000, [None; 3],
        [0.6132, 57.4305, 0.3305, 0.6683, 0.7613, 1.0000, 0.4606, 0.4104, 9.5520, 712.7739, 44.9143, 8.8597, 983.5934, 30.0248, 2.8224]),
    FittedRow("H200-SXM-141GB", Vllm, Some((0, 11)), Precision::Fp8, true, KvPrecision::Bits16, 3, 1000, [None; 3],
        [0.4914, 57.4457, 0.2751, 0.6748, 0.7688, 1.0000, 0.4359, 0.3353, 9.5615, 713.0417, 45.0189, 8.8717, 984.8154, 30.0315, 2.8225]),
    FittedRow("H200-SXM-141GB", Vllm, Some((0, 12)), Precision::Fp8, true, KvPrecision::Bits16, 25, 40, [Some(90.0), Some(31.0), Some(29.1)],
        [0.4859, 56.5068, 0.3818, 0.5206, 0.7350, 1.0000, 0.2845, 0.4310, 13.1858, 756.9823, 86.8940, 8.6338, 979.1057, 29.9847, 2.8224]),
    FittedRow("H200-SXM-141GB", Vllm, Some((0, 13)), Precision::Fp8, true, KvPrecision::Bits16, 2, 1000, [None; 3],
        [0.3843, 57.4687, 0.2217, 0.6122, 0.6988, 1.0000, 0.4202, 0.2979, 9.5960, 714.6147, 45.4049, 8.9215, 985.2282, 29.9868, 2.8224]),
    FittedRow("H200-SXM-141GB", Vllm, Some((0, 16)), Precision::Fp8, true, KvPrecision::Bits16, 10, 64, [Some(18.2), Some(15.8), Some(15.7)],
        [0.4069, 57.6145, 0.2271, 0.7856, 0.9249, 1.0000, 0.4249, 0.3568, 11.5441, 792.5110, 103.7624, 8.7470, 992.2169, 34.4083, 2.8489]),
    FittedRow("H200-SXM-141GB", Vllm, Some((0, 18)), Precision::Mxfp4, true, KvPrecision::Bits16, 25, 64, [Some(17.3), Some(8.3), Some(8.3)],
        [0.5889, 57.5206, 0.3184, 0.7709, 0.9075, 1.0000, 0.4318, 0.3926, 9.1158, 739.1709, 46.9895, 9.2392, 970.5502, 25.7696, 2.7705]),
    FittedRow("H200-SXM-141GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 2, 1, [None; 3],
        [0.4651, 60.6023, 0.3000, 0.7804, 0.8000, 0.7594, 0.4532, 0.6591, 6.2599, 1780.7834, 40.7209, 12.2118, 951.2285, 21.0598, 2.2596]),
    FittedRow("H200-SXM-141GB", Vllm, None, Precision::Bf16, false, KvPrecision::Bits16, 2, 8, [None; 3],
        [0.5018, 57.1421, 0.3000, 0.9354, 0.8000, 0.7609, 0.4531, 0.6850, 6.0713, 1539.1320, 34.2841, 12.1261, 950.8112, 21.0893, 2.2603]),
    FittedRow("H200-SXM-141GB", Vllm, None, Precision::Fp8, false, KvPrecision::Bits16, 45, 64, [Some(13.5), Some(10.4), Some(10.3)],
        [0.5233, 47.6480, 0.3000, 1.0000, 0.8000, 0.5902, 0.4776, 0.7099, 5.8867, 1754.2145, 36.5370, 12.5771, 956.0307, 20.6121, 2.1479]),
    FittedRow("H200-SXM-141GB", Vllm, None, Precision::Mxfp4, true, KvPrecision::Bits16, 5, 64, [None; 3],
        [0.5823, 57.4777, 0.3149, 0.7271, 0.8493, 1.0000, 0.4258, 0.3685, 9.7962, 743.8894, 50.4563, 8.9684, 983.8046, 30.4107, 2.8788]),
    FittedRow("L4-24GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 1, 1, [None; 3],
        [0.3773, 61.7391, 0.3000, 0.9302, 0.8000, 0.8508, 0.3995, 0.6000, 8.0000, 999.6707, 29.9905, 10.0000, 1004.4799, 28.2393, 2.5066]),
    FittedRow("MI300X-192GB", Vllm, None, Precision::Bf16, false, KvPrecision::Bits16, 81, 64, [None; 3],
        [0.1360, 49.1589, 0.3000, 0.9644, 0.8000, 0.3546, 0.3978, 0.4408, 41.0256, 3859.0346, 84.5506, 22.1577, 1011.0099, 28.4205, 2.5010]),
    FittedRow("MI300X-192GB", Vllm, None, Precision::Bf16, true, KvPrecision::Bits16, 24, 64, [None; 3],
        [0.2088, 59.2521, 0.1568, 1.0000, 1.1220, 0.4111, 0.3991, 0.5434, 31.3747, 2228.8474, 221.3256, 11.5301, 1001.0108, 24.3430, 2.5156]),
    FittedRow("RTX3090-24GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 1, 1, [None; 3],
        [0.9287, 65.8741, 0.3000, 1.0000, 0.8000, 0.7308, 0.5484, 0.3707, 14.0388, 905.8826, 54.8009, 11.6243, 993.7283, 18.8077, 2.4122]),
    FittedRow("RTX5090-32GB", Vllm, Some((0, 19)), Precision::Bf16, false, KvPrecision::Bits16, 2, 1, [None; 3],
        [0.7453, 36.2973, 0.3000, 0.9992, 0.8000, 0.7869, 0.4082, 0.2796, 6.5766, 1054.1727, 36.4433, 9.7309, 1046.8665, 32.5553, 2.2498]),
    FittedRow("RTXA6000-48GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 2, 1, [None; 3],
        [0.6879, 82.5299, 0.3000, 1.0000, 0.8000, 0.8092, 0.5529, 0.3707, 14.0388, 914.6478, 55.8112, 11.6258, 996.1949, 19.7568, 2.4151]),
    FittedRow("V100S-32GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 1, 1, [None; 3],
        [0.4770, 56.1427, 0.3000, 0.9389, 0.8000, 0.8505, 0.3997, 0.6000, 8.0000, 992.2790, 29.7775, 9.9992, 1002.2791, 26.5267, 2.5034]),
];
