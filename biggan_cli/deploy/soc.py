"""The chips that ``atc`` builds for: the values of ``--soc_version``.

Source: the files of ``data/platform_config`` in CANN 8.1 (a toolkit's own folder, where there is one, says more).
"""

SOC_VERSIONS = (
    *("Ascend310", "Ascend310P1", "Ascend310P3", "Ascend310P5", "Ascend310P7"),
    *("Ascend310B1", "Ascend310B2", "Ascend310B3", "Ascend310B4", "Ascend610", "Ascend610Lite"),
    *("Ascend910A", "Ascend910B", "Ascend910ProA", "Ascend910ProB", "Ascend910PremiumA"),
    *("Ascend910B1", "Ascend910B2", "Ascend910B2C", "Ascend910B3", "Ascend910B4", "Ascend910B4-1"),
    *("Ascend910_9362", "Ascend910_9372", "Ascend910_9381", "Ascend910_9382", "Ascend910_9391", "Ascend910_9392"),
    *("Ascend031", "Ascend035", "Ascend035A", "Ascend035B", "Ascend910_5591", "Ascend910_95", "AS31XM1X"),
    *("BS9SX1AA", "BS9SX1AB", "BS9SX1AC", "BS9SX2AA", "BS9SX2AB", "Hi3796CV300CS", "Hi3796CV300ES"),
    *("MC61AM21AA", "MC61AM21AB", "SD3403"),
)
