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
        [0.7399, 46.4791, 0.3000, 1.0000, 0.8000, 0.7168, 0.3819, 0.5338, 9.9189, 2392.1836, 20.3587, 10.4597, 994.5499, 21.5146, 2.5518]),
    FittedRow("A100-SXM-40GB", TensorRtLlm, None, Precision::Bf16, true, KvPrecision::Bits16, 3, 64, [None; 3],
        [0.8397, 59.8885, 0.4896, 1.0000, 1.7414, 0.8740, 0.4002, 0.6461, 8.3862, 2477.7098, 25.8561, 9.4278, 999.2008, 25.4685, 2.4991]),
    FittedRow("A100-SXM-40GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 3, 1, [None; 3],
        [0.7457, 90.1941, 0.3000, 1.0000, 0.8000, 0.7223, 0.5821, 0.3644, 13.8158, 977.0434, 52.4364, 11.6194, 980.5397, 15.8179, 2.3906]),
    FittedRow("A100-SXM-40GB", Vllm, None, Precision::Bf16, false, KvPrecision::Bits16, 53, 64, [None; 3],
        [0.4959, 62.2853, 0.3000, 0.9999, 0.8000, 0.7306, 0.5433, 0.2727, 18.7911, 970.7922, 50.3010, 15.5311, 990.2123, 16.3777, 2.4067]),
    FittedRow("A100-SXM-40GB", Vllm, None, Precision::Bf16, true, KvPrecision::Bits16, 9, 64, [None; 3],
        [0.5676, 61.3081, 0.4443, 0.8958, 1.0376, 0.7601, 0.3256, 0.5438, 10.1523, 1821.9650, 79.4701, 9.9554, 1005.1445, 25.9561, 2.5026]),
    FittedRow("A100-SXM-80GB", Vllm, Some((0, 11)), Precision::Bf16, false, KvPrecision::Bits16, 4, 500, [None; 3],
        [0.6282, 98.5664, 0.3000, 0.9998, 0.8000, 0.7447, 0.5444, 0.3728, 13.6343, 999.9219, 55.8483, 11.6208, 983.7016, 16.4849, 2.4045]),
    FittedRow("A100-SXM-80GB", Vllm, Some((0, 11)), Precision::Bf16, true, KvPrecision::Bits16, 4, 1000, [None; 3],
        [0.4421, 61.2509, 0.4057, 0.8316, 0.9013, 0.7171, 0.3912, 0.5782, 8.9499, 1427.8023, 56.0262, 9.9853, 1006.5004, 25.6719, 2.5018]),
    FittedRow("A100-SXM-80GB", Vllm, Some((0, 11)), Precision::Mxfp4, true, KvPrecision::Bits16, 7, 1000, [None; 3],
        [0.7571, 60.8764, 0.5681, 0.9221, 0.9922, 0.7851, 0.2687, 0.5457, 9.2902, 1419.0166, 56.0618, 9.9072, 1003.2855, 25.6377, 2.5021]),
    FittedRow("A100-SXM-80GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 2, 1, [None; 3],
        [0.6682, 104.8223, 0.3000, 0.9295, 0.8000, 0.6131, 0.5989, 0.3728, 13.6343, 1011.6557, 57.0446, 11.6241, 982.7313, 16.4934, 2.3897]),
    FittedRow("A100-SXM-80GB", Vllm, None, Precision::Bf16, false, KvPrecision::Bits16, 48, 64, [None; 3],
        [0.8349, 36.6943, 0.3000, 1.0000, 0.8000, 0.8078, 0.5115, 0.2655, 12.6793, 1158.4053, 250.4847, 11.4681, 957.9668, 10.5865, 2.3344]),
    FittedRow("A800-SXM-80GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 2, 1, [None; 3],
        [0.7493, 94.7629, 0.3000, 0.9998, 0.8000, 0.6886, 0.5831, 0.3728, 13.6343, 991.8150, 55.0551, 11.6215, 977.3887, 15.0825, 2.3860]),
    FittedRow("B200-SXM-180GB", TensorRtLlm, Some((1, 0)), Precision::Mxfp4, true, KvPrecision::Bits16, 25, 256, [Some(67.4), Some(21.2), Some(22.2)],
        [0.4141, 59.6190, 0.3073, 1.0000, 1.1262, 0.9877, 0.4821, 0.3099, 5.3998, 1046.8463, 17.8074, 11.7322, 1178.5699, 25.1643, 1.9310]),
    FittedRow("B200-SXM-180GB", TensorRtLlm, Some((1, 0)), Precision::Nvfp4, false, KvPrecision::Bits8, 12, 3000, [None; 3],
        [0.4432, 50.7402, 0.3000, 0.9824, 0.8000, 0.7587, 0.4240, 0.5687, 6.6434, 1853.1336, 20.6542, 10.4522, 1007.1075, 29.7877, 2.2387]),
    FittedRow("B200-SXM-180GB", TensorRtLlm, None, Precision::Fp8, false, KvPrecision::Bits16, 60, 128, [Some(14.0), Some(6.7), Some(6.2)],
        [0.5605, 49.1844, 0.3000, 0.8866, 0.8000, 0.7810, 0.3974, 0.5273, 5.7480, 1567.2939, 17.4184, 8.2216, 1012.9767, 30.3122, 2.1899]),
    FittedRow("B200-SXM-180GB", TensorRtLlm, None, Precision::Mxfp4, true, KvPrecision::Bits16, 6, 64, [None; 3],
        [0.4195, 59.9922, 0.3050, 1.0000, 1.0731, 0.9764, 0.4445, 0.3670, 6.9958, 1179.7749, 20.0728, 12.3747, 1154.7168, 27.7570, 2.2674]),
    FittedRow("B200-SXM-180GB", TensorRtLlm, None, Precision::Nvfp4, false, KvPrecision::Bits16, 36, 128, [Some(15.5), Some(10.9), Some(10.5)],
        [0.5043, 50.8419, 0.3000, 0.7139, 0.8000, 0.7890, 0.3957, 0.5421, 6.0200, 1990.8734, 22.3606, 8.8794, 1015.7781, 32.7399, 2.1899]),
    FittedRow("B200-SXM-180GB", Vllm, Some((0, 15)), Precision::Mxfp4, true, KvPrecision::Bits16, 45, 128, [Some(29.0), Some(11.1), Some(10.7)],
        [0.4339, 58.6091, 0.2604, 1.0000, 1.0982, 0.9366, 0.4871, 0.3796, 9.1112, 467.4337, 45.7517, 8.8307, 1046.1366, 22.4710, 1.7922]),
    FittedRow("B200-SXM-180GB", Vllm, Some((0, 17)), Precision::Fp8, true, KvPrecision::Bits16, 3, 64, [None; 3],
        [0.2942, 58.8280, 0.1789, 1.0000, 0.7544, 0.8026, 0.3936, 0.2841, 11.9921, 512.0714, 55.3140, 9.2367, 1056.5206, 22.2253, 2.0333]),
    FittedRow("B200-SXM-180GB", Vllm, Some((0, 19)), Precision::Fp8, true, KvPrecision::Bits16, 19, 256, [Some(52.1), Some(45.7), Some(42.5)],
        [0.4099, 58.9115, 0.2436, 1.0000, 1.1309, 1.0000, 0.4063, 0.2954, 14.0870, 538.5327, 75.2827, 8.9603, 1055.0630, 21.3100, 1.9405]),
    FittedRow("B200-SXM-180GB", Vllm, Some((0, 19)), Precision::Nvfp4, true, KvPrecision::Bits16, 24, 512, [Some(40.1), Some(16.5), Some(16.4)],
        [0.4282, 58.9809, 0.2557, 1.0000, 0.9491, 0.9760, 0.4411, 0.1873, 10.0053, 517.2406, 55.9228, 10.2821, 1082.7798, 24.9305, 2.1666]),
    FittedRow("B200-SXM-180GB", Vllm, None, Precision::Fp8, false, KvPrecision::Bits16, 40, 64, [Some(24.9), Some(8.4), Some(8.8)],
        [0.4492, 43.4633, 0.3000, 0.7676, 0.8000, 1.0000, 0.3541, 0.3094, 9.2929, 797.4333, 25.0640, 8.8017, 1101.2146, 43.7883, 2.8154]),
    FittedRow("B200-SXM-180GB", Vllm, None, Precision::Mxfp4, true, KvPrecision::Bits16, 10, 64, [Some(27.2), Some(8.8), Some(9.7)],
        [0.3767, 58.7313, 0.2249, 1.0000, 0.9646, 0.8665, 0.4020, 0.2597, 10.6674, 483.3749, 47.2263, 9.1129, 1053.4879, 22.0693, 2.0613]),
    FittedRow("B200-SXM-180GB", Vllm, None, Precision::Nvfp4, false, KvPrecision::Bits16, 40, 64, [Some(25.9), Some(4.9), Some(5.0)],
        [0.4204, 42.3497, 0.3000, 0.6175, 0.8000, 0.8554, 0.3125, 0.3563, 8.3648, 843.6074, 34.1715, 8.6871, 1065.7142, 34.3298, 2.6829]),
    FittedRow("B200-SXM-180GB", Vllm, None, Precision::Nvfp4, true, KvPrecision::Bits16, 13, 256, [Some(52.0), Some(45.8), Some(46.0)],
        [0.4622, 58.8431, 0.2728, 1.0000, 0.7513, 0.8264, 0.4593, 0.1496, 14.6700, 506.8337, 52.1384, 11.5114, 1120.0524, 35.0045, 2.0930]),
    FittedRow("GH200-96GB", TensorRtLlm, None, Precision::Bf16, false, KvPrecision::Bits16, 15, 64, [None; 3],
        [0.6995, 38.5152, 0.3000, 0.9838, 0.8000, 0.9098, 0.4155, 0.6298, 8.8923, 1295.2600, 15.9280, 12.0498, 1075.7387, 19.1552, 2.3225]),
    FittedRow("GH200-96GB", Vllm, None, Precision::Bf16, false, KvPrecision::Bits16, 14, 64, [None; 3],
        [0.4515, 54.9044, 0.3000, 0.8839, 0.8000, 0.7461, 0.3914, 0.6373, 7.1145, 2209.7442, 27.8236, 14.8731, 1054.4761, 16.9218, 2.8329]),
    FittedRow("H100-SXM-80GB", TensorRtLlm, Some((1, 0)), Precision::Bf16, false, KvPrecision::Bits16, 99, 128, [None, Some(17.4), None],
        [0.6887, 33.0509, 0.3000, 0.8937, 0.8000, 1.0000, 0.4208, 0.7221, 9.0856, 990.2931, 11.5201, 18.2438, 1192.3244, 17.0129, 2.4181]),
    FittedRow("H100-SXM-80GB", TensorRtLlm, Some((1, 0)), Precision::Fp8, false, KvPrecision::Bits8, 128, 30000, [None, Some(17.8), None],
        [0.4489, 33.9937, 0.3000, 0.9286, 0.8000, 1.0000, 0.4959, 0.5788, 7.7995, 1956.0785, 19.1396, 8.8194, 1158.1599, 20.8473, 2.4385]),
    FittedRow("H100-SXM-80GB", TensorRtLlm, None, Precision::Bf16, false, KvPrecision::Bits16, 58, 64, [None; 3],
        [0.4869, 38.8447, 0.3000, 0.8363, 0.8000, 0.9628, 0.4096, 0.5716, 13.4483, 1219.0806, 16.9866, 13.2052, 1069.6779, 17.5336, 2.3286]),
    FittedRow("H100-SXM-80GB", TensorRtLlm, None, Precision::Bf16, true, KvPrecision::Bits16, 9, 64, [None; 3],
        [0.8170, 61.4883, 0.5022, 1.0000, 2.7726, 0.6936, 0.4414, 0.2974, 8.2298, 2515.0293, 33.6861, 10.0802, 1103.4417, 34.7908, 2.1581]),
    FittedRow("H100-SXM-80GB", TensorRtLlm, None, Precision::Fp8, false, KvPrecision::Bits16, 1, 1, [None; 3],
        [0.6596, 39.5878, 0.3000, 0.7632, 0.8000, 0.9540, 0.4173, 0.6499, 8.9783, 1434.9924, 16.6696, 12.9853, 1071.9869, 17.7034, 2.3034]),
    FittedRow("H100-SXM-80GB", Vllm, Some((0, 10)), Precision::Mxfp4, true, KvPrecision::Bits16, 4, 1000, [None; 3],
        [0.5641, 53.2323, 0.3317, 0.5982, 0.8583, 0.8476, 0.3801, 0.4708, 9.0936, 672.4930, 47.8691, 8.0752, 1005.9458, 31.2136, 1.9308]),
    FittedRow("H100-SXM-80GB", Vllm, Some((0, 11)), Precision::Bf16, false, KvPrecision::Bits16, 7, 1000, [None; 3],
        [0.3795, 54.6918, 0.3000, 0.4823, 0.8000, 0.8009, 0.4646, 0.6373, 7.1145, 2330.7834, 29.3143, 12.5683, 1058.3371, 17.6985, 2.8474]),
    FittedRow("H100-SXM-80GB", Vllm, Some((0, 11)), Precision::Bf16, true, KvPrecision::Bits16, 5, 1000, [None; 3],
        [0.6975, 53.2200, 0.4067, 0.7513, 1.0719, 0.8817, 0.2055, 0.5891, 8.6685, 667.7109, 45.3712, 7.9936, 1004.2482, 31.1578, 1.9309]),
    FittedRow("H100-SXM-80GB", Vllm, Some((0, 11)), Precision::Mxfp4, true, KvPrecision::Bits8, 5, 512, [None; 3],
        [0.5968, 53.2314, 0.3495, 0.5985, 0.8586, 0.8472, 0.4037, 0.4708, 9.0936, 672.4581, 47.8612, 8.0908, 1005.5982, 31.0536, 1.9307]),
    FittedRow("H100-SXM-80GB", Vllm, Some((0, 12)), Precision::Bf16, false, KvPrecision::Bits16, 55, 128, [Some(52.9), Some(23.7), Some(15.0)],
        [0.4673, 30.8841, 0.3000, 1.0000, 0.8000, 1.0000, 0.3583, 0.6056, 7.7479, 1808.0759, 28.4890, 10.2009, 793.4670, 17.6565, 2.8715]),
    FittedRow("H100-SXM-80GB", Vllm, Some((0, 18)), Precision::Fp8, true, KvPrecision::Bits16, 10, 64, [Some(44.7), Some(6.9), Some(6.9)],
        [0.4543, 53.3259, 0.2733, 0.7702, 1.1466, 1.0000, 0.3599, 0.4296, 9.6175, 716.9040, 79.0021, 8.0399, 1010.5059, 30.5988, 2.1342]),
    FittedRow("H100-SXM-80GB", Vllm, Some((0, 18)), Precision::Mxfp4, true, KvPrecision::Bits16, 23, 64, [Some(45.2), Some(20.8), Some(20.6)],
        [0.5227, 53.7814, 0.3083, 0.8032, 1.1496, 0.9302, 0.3778, 0.4894, 9.0482, 728.4959, 47.1042, 7.9035, 981.9013, 21.2556, 1.8600]),
    FittedRow("H100-SXM-80GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 1, 1, [None; 3],
        [0.5437, 49.7112, 0.3000, 0.9863, 0.8000, 0.8642, 0.3889, 0.6373, 7.1145, 2064.5689, 27.4697, 12.4686, 1040.8610, 14.0642, 2.8176]),
    FittedRow("H100-SXM-80GB", Vllm, None, Precision::Bf16, false, KvPrecision::Bits16, 111, 64, [None; 3],
        [0.6686, 46.2985, 0.3000, 0.7972, 0.8000, 0.7837, 0.3700, 0.2322, 23.8646, 1230.2112, 45.9409, 35.5288, 996.1168, 9.6173, 2.6794]),
    FittedRow("H100-SXM-80GB", Vllm, None, Precision::Fp8, false, KvPrecision::Bits16, 30, 64, [Some(18.2), Some(9.0), Some(9.0)],
        [0.5175, 50.3581, 0.3000, 1.0000, 0.8000, 0.4964, 0.4177, 0.8536, 6.8944, 2395.1297, 30.4299, 12.9832, 1046.5965, 16.5527, 2.5421]),
    FittedRow("H100-SXM-80GB", Vllm, None, Precision::Mxfp4, true, KvPrecision::Bits16, 4, 512, [None; 3],
        [0.5527, 53.2367, 0.3257, 0.5618, 0.8092, 0.8445, 0.3783, 0.4476, 9.2822, 681.9293, 49.7176, 8.1182, 1007.3639, 31.0576, 1.9260]),
    FittedRow("H20-3e-141GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 1, 1, [None; 3],
        [0.4134, 51.0912, 0.3000, 0.8589, 0.8000, 0.8639, 0.3885, 0.6315, 7.2355, 2235.0869, 28.3934, 12.4745, 1061.0407, 18.5277, 2.8523]),
    FittedRow("H200-SXM-141GB", Sglang, Some((0, 5)), Precision::Fp8, false, KvPrecision::Bits16, 28, 512, [None, Some(9.3), None],
        [0.2804, 61.2980, 0.3000, 0.8092, 0.8000, 0.9939, 0.3293, 0.5141, 12.2434, 1136.1758, 33.8948, 10.9338, 1008.3580, 25.0013, 2.5003]),
    FittedRow("H200-SXM-141GB", TensorRtLlm, Some((1, 0)), Precision::Fp8, false, KvPrecision::Bits8, 16, 30000, [None; 3],
        [0.6197, 35.0166, 0.3000, 1.0000, 0.8000, 1.0000, 0.4359, 0.7291, 9.2941, 1292.0847, 15.5212, 10.5847, 1084.7642, 20.0916, 2.3225]),
    FittedRow("H200-SXM-141GB", TensorRtLlm, None, Precision::Fp8, false, KvPrecision::Bits16, 54, 128, [Some(15.8), Some(7.9), Some(8.1)],
        [0.6345, 39.4151, 0.3000, 0.9467, 0.8000, 0.9744, 0.4249, 0.6769, 7.1499, 1339.6536, 15.2130, 12.2004, 1083.1241, 23.1150, 2.1916]),
    FittedRow("H200-SXM-141GB", TensorRtLlm, None, Precision::Mxfp4, true, KvPrecision::Bits16, 31, 64, [Some(56.2), Some(19.3), Some(19.7)],
        [0.7712, 61.8852, 0.4735, 1.0000, 1.1300, 0.7296, 0.4494, 0.1933, 8.1503, 2644.6114, 41.7318, 11.3882, 1147.0702, 63.4884, 2.1894]),
    FittedRow("H200-SXM-141GB", Vllm, Some((0, 11)), Precision::Bf16, true, KvPrecision::Bits16, 3, 1000, [None; 3],
        [0.5880, 53.2268, 0.3451, 0.6153, 0.8816, 0.8650, 0.4278, 0.4696, 9.0210, 672.0446, 47.6784, 8.0772, 1005.7082, 31.0966, 1.9308]),
    FittedRow("H200-SXM-141GB", Vllm, Some((0, 11)), Precision::Fp8, true, KvPrecision::Bits16, 3, 1000, [None; 3],
        [0.4580, 53.2417, 0.2807, 0.6232, 0.8932, 0.8741, 0.3893, 0.3894, 9.0688, 672.2616, 47.8054, 8.0855, 1007.0766, 31.1040, 1.9308]),
    FittedRow("H200-SXM-141GB", Vllm, Some((0, 12)), Precision::Fp8, true, KvPrecision::Bits16, 25, 40, [Some(83.8), Some(30.1), Some(28.6)],
        [0.5971, 53.9906, 0.2753, 0.3829, 1.0011, 0.8947, 0.4358, 0.5583, 12.7020, 775.0331, 64.0587, 8.0204, 1007.8916, 38.3307, 2.3833]),
    FittedRow("H200-SXM-141GB", Vllm, Some((0, 13)), Precision::Fp8, true, KvPrecision::Bits16, 2, 1000, [None; 3],
        [0.3576, 53.2639, 0.2258, 0.5631, 0.8089, 0.8251, 0.3716, 0.3594, 9.3064, 673.7939, 48.2831, 8.1277, 1007.4204, 31.0552, 1.9308]),
    FittedRow("H200-SXM-141GB", Vllm, Some((0, 16)), Precision::Fp8, true, KvPrecision::Bits16, 10, 64, [Some(17.1), Some(26.3), Some(26.3)],
        [0.3925, 53.3831, 0.2386, 0.7168, 1.0658, 0.9063, 0.3763, 0.4221, 11.0473, 737.7711, 107.5201, 7.9881, 1014.0988, 35.2613, 1.9332]),
    FittedRow("H200-SXM-141GB", Vllm, Some((0, 18)), Precision::Mxfp4, true, KvPrecision::Bits16, 25, 64, [Some(27.5), Some(9.2), Some(9.1)],
        [0.5561, 53.6390, 0.3287, 0.6817, 1.0530, 0.8980, 0.3785, 0.4706, 7.9751, 671.6524, 48.7318, 7.8603, 985.8265, 27.7771, 2.1950]),
    FittedRow("H200-SXM-141GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 2, 1, [None; 3],
        [0.4669, 52.5837, 0.3000, 0.7905, 0.8000, 0.8641, 0.3887, 0.6104, 8.4074, 2307.5156, 31.7161, 12.4767, 1057.5962, 17.5223, 2.8464]),
    FittedRow("H200-SXM-141GB", Vllm, None, Precision::Bf16, false, KvPrecision::Bits16, 2, 8, [None; 3],
        [0.4961, 50.2988, 0.3000, 0.9326, 0.8000, 0.8656, 0.3886, 0.6319, 7.4204, 1936.8648, 27.8657, 12.3835, 1056.9315, 17.5108, 2.8473]),
    FittedRow("H200-SXM-141GB", Vllm, None, Precision::Fp8, false, KvPrecision::Bits16, 45, 64, [Some(11.2), Some(9.5), Some(9.2)],
        [0.5104, 48.2264, 0.3000, 1.0000, 0.8000, 0.6483, 0.4327, 0.8249, 6.8152, 2099.0841, 26.6385, 12.2816, 1056.4965, 17.2496, 2.7338]),
    FittedRow("H200-SXM-141GB", Vllm, None, Precision::Mxfp4, true, KvPrecision::Bits16, 5, 64, [None; 3],
        [0.5601, 53.2793, 0.3296, 0.6522, 0.9547, 0.8520, 0.3777, 0.4379, 9.0357, 676.1329, 50.2860, 7.9038, 1005.6657, 31.5292, 1.9914]),
    FittedRow("L4-24GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 1, 1, [None; 3],
        [0.3773, 61.7391, 0.3000, 0.9302, 0.8000, 0.8508, 0.3995, 0.6000, 8.0000, 999.6707, 29.9905, 10.0000, 1004.4799, 28.2393, 2.5066]),
    FittedRow("MI300X-192GB", Vllm, None, Precision::Bf16, false, KvPrecision::Bits16, 81, 64, [None; 3],
        [0.1342, 49.9311, 0.3000, 0.9995, 0.8000, 0.3630, 0.3977, 0.3327, 40.3420, 3806.6847, 82.5878, 19.6211, 1009.5486, 28.2414, 2.5029]),
    FittedRow("MI300X-192GB", Vllm, None, Precision::Bf16, true, KvPrecision::Bits16, 24, 64, [None; 3],
        [0.2167, 59.4348, 0.1630, 0.9895, 1.0906, 0.3887, 0.3990, 0.4591, 35.8099, 2376.9844, 202.7343, 11.3505, 1000.7097, 24.3244, 2.5697]),
    FittedRow("RTX3090-24GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 1, 1, [None; 3],
        [0.9125, 65.8375, 0.3000, 1.0000, 0.8000, 0.7381, 0.5415, 0.3728, 13.6343, 964.3181, 52.4390, 11.6175, 983.5005, 16.3818, 2.4039]),
    FittedRow("RTX5090-32GB", Vllm, Some((0, 19)), Precision::Bf16, false, KvPrecision::Bits16, 2, 1, [None; 3],
        [0.7270, 38.6697, 0.3000, 1.0000, 0.8000, 0.8476, 0.4236, 0.3406, 7.5284, 806.6691, 29.6095, 9.3505, 1044.5877, 28.4104, 2.5497]),
    FittedRow("RTXA6000-48GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 2, 1, [None; 3],
        [0.6746, 82.2903, 0.3000, 1.0000, 0.8000, 0.8176, 0.5467, 0.3728, 13.6343, 973.2585, 53.2752, 11.6188, 986.3714, 17.2473, 2.4074]),
    FittedRow("V100S-32GB", Vllm, Some((0, 7)), Precision::Bf16, false, KvPrecision::Bits16, 1, 1, [None; 3],
        [0.4770, 56.1427, 0.3000, 0.9389, 0.8000, 0.8505, 0.3997, 0.6000, 8.0000, 992.2790, 29.7775, 9.9992, 1002.2791, 26.5267, 2.5034]),
];
