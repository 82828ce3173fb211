-- Rates of narrower arithmetic, dense, 10^12 operations per second; NULL: the data sheet's, else that of 16 bits.
ALTER TABLE device_specifications ADD COLUMN peak_fp8_tflops REAL CHECK (peak_fp8_tflops > 0);
ALTER TABLE device_specifications ADD COLUMN peak_fp4_tflops REAL CHECK (peak_fp4_tflops > 0);
