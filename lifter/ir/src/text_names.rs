//! Names of the operation tables' rows in the text form. One macro line per row gives the list of all rows, the name
//! and its parser, so that a row without a name does not compile.

use crate::func::{CacheOp, Fence, Order, RmwOp, SysReg};
use crate::op::*;
use crate::types::{FShape, Lane, Type};

macro_rules! names {
    ($($table:ident { $($row:ident = $name:literal),* $(,)? })*) => { $(
        impl $table {
            /// All rows, in the table's order.
            pub const ALL: &'static [$table] = &[$($table::$row),*];

            /// Name in the text form.
            pub const fn name(self) -> &'static str {
                match self { $($table::$row => $name),* }
            }

            /// The row of that name.
            pub fn parse(name: &str) -> Option<$table> {
                match name { $($name => Some($table::$row),)* _ => None }
            }
        }
    )* };
}

names! {
    IntBin {
        Add = "add", Sub = "sub", Mul = "mul", UMulHi = "umulhi", SMulHi = "smulhi", UDiv = "udiv", SDiv = "sdiv",
        And = "and", Or = "or", Xor = "xor", Shl = "shl", Lshr = "lshr", Ashr = "ashr", Rotr = "rotr",
        SMin = "smin", SMax = "smax", UMin = "umin", UMax = "umax",
    }
    IntUn {
        Not = "not", Neg = "neg", Clz = "clz", Cls = "cls", Ctz = "ctz", Rbit = "rbit", Bswap = "bswap",
        Popcnt = "popcnt",
    }
    IntCmp {
        Eq = "eq", Ne = "ne", Ult = "ult", Ule = "ule", Ugt = "ugt", Uge = "uge",
        Slt = "slt", Sle = "sle", Sgt = "sgt", Sge = "sge",
    }
    Round {
        TieEven = "even", PlusInf = "up", MinusInf = "down", Zero = "zero", TieAway = "away", Current = "cur",
        Odd = "odd",
    }
    FBin {
        Add = "add", Sub = "sub", Mul = "mul", Div = "div", MulX = "mulx", Max = "max", Min = "min",
        MaxNum = "maxnum", MinNum = "minnum", RecipStep = "recipstep", RsqrtStep = "rsqrtstep",
        AbsDiff = "absdiff",
    }
    FUn {
        Abs = "abs", Neg = "neg", Sqrt = "sqrt", RecipEst = "recipest", RsqrtEst = "rsqrtest", RecpX = "recpx",
    }
    FCmp { Eq = "eq", Gt = "gt", Ge = "ge", Lt = "lt", Le = "le", Unordered = "uno" }
    VBin {
        Add = "add", Sub = "sub", Mul = "mul", PMul = "pmul", SMin = "smin", SMax = "smax", UMin = "umin",
        UMax = "umax", SHAdd = "shadd", UHAdd = "uhadd", SRHAdd = "srhadd", URHAdd = "urhadd", SHSub = "shsub",
        UHSub = "uhsub", SAbsDiff = "sabsdiff", UAbsDiff = "uabsdiff", SShl = "sshl", UShl = "ushl",
        SRShl = "srshl", URShl = "urshl",
    }
    VBit { And = "and", Or = "or", Xor = "xor", AndNot = "andnot", OrNot = "ornot" }
    VUn {
        Neg = "neg", Abs = "abs", Not = "not", Clz = "clz", Cls = "cls", Popcnt = "popcnt", Rbit = "rbit",
        RecipEst = "recipest", RsqrtEst = "rsqrtest",
    }
    VShift { Shl = "vshl", UShr = "vushr", SShr = "vsshr", URShr = "vurshr", SRShr = "vsrshr" }
    VSat {
        SQAdd = "sqadd", UQAdd = "uqadd", SQSub = "sqsub", UQSub = "uqsub", SUQAdd = "suqadd", USQAdd = "usqadd",
        SQDMulH = "sqdmulh", SQRDMulH = "sqrdmulh", SQShl = "sqshl", UQShl = "uqshl", SQRShl = "sqrshl",
        UQRShl = "uqrshl", SQShlu = "sqshlu", SQAbs = "sqabs", SQNeg = "sqneg", SQXtn = "sqxtn", UQXtn = "uqxtn",
        SQXtun = "sqxtun",
    }
    VReduce { Add = "add", SMin = "smin", SMax = "smax", UMin = "umin", UMax = "umax" }
    Order {
        Relaxed = "relaxed", Acquire = "acquire", AcquirePc = "acquirepc", Release = "release", AcqRel = "acqrel",
    }
    RmwOp {
        Add = "add", Clear = "clear", Xor = "xor", Or = "or", SMax = "smax", SMin = "smin", UMax = "umax",
        UMin = "umin", Swap = "swap",
    }
    Fence { Full = "full", Load = "load", Store = "store", Instruction = "instruction" }
    CacheOp { InvalidateCode = "invalidate", CleanData = "clean", Prefetch = "prefetch" }
    SysReg { Fpcr = "fpcr", Fpsr = "fpsr", Counter = "counter", Endian = "endian" }
}

impl Type {
    /// The type of that name.
    pub fn parse(name: &str) -> Option<Type> {
        Type::ALL.into_iter().find(|t| t.name() == name)
    }
}

impl Lane {
    /// The shape of that name.
    pub fn parse(name: &str) -> Option<Lane> {
        Lane::ALL.into_iter().find(|l| l.name() == name)
    }
}

impl FShape {
    /// The shape of that name.
    pub fn parse(name: &str) -> Option<FShape> {
        FShape::ALL.into_iter().find(|s| s.name() == name)
    }
}

impl Helper {
    /// All helpers.
    pub const ALL: &'static [Helper] = &[
        Helper::Crc32 { bits: 8 },
        Helper::Crc32 { bits: 16 },
        Helper::Crc32 { bits: 32 },
        Helper::Crc32 { bits: 64 },
        Helper::Crc32c { bits: 8 },
        Helper::Crc32c { bits: 16 },
        Helper::Crc32c { bits: 32 },
        Helper::Crc32c { bits: 64 },
        Helper::AesE,
        Helper::AesD,
        Helper::AesMc,
        Helper::AesImc,
        Helper::PMull64,
        Helper::Sha1C,
        Helper::Sha1P,
        Helper::Sha1M,
        Helper::Sha1H,
        Helper::Sha1Su0,
        Helper::Sha1Su1,
        Helper::Sha256H,
        Helper::Sha256H2,
        Helper::Sha256Su0,
        Helper::Sha256Su1,
        Helper::Sha512H,
        Helper::Sha512H2,
        Helper::Sha512Su0,
        Helper::Sha512Su1,
        Helper::JsCvt,
    ];

    /// Name in the text form. CRC widths are `b`, `h`, `w`, `x`, as in the instructions' names; a width that does not
    /// exist is `?`, which the verifier rejects.
    pub const fn name(self) -> &'static str {
        match self {
            Helper::Crc32 { bits: 8 } => "crc32.b",
            Helper::Crc32 { bits: 16 } => "crc32.h",
            Helper::Crc32 { bits: 32 } => "crc32.w",
            Helper::Crc32 { bits: 64 } => "crc32.x",
            Helper::Crc32 { .. } => "crc32.?",
            Helper::Crc32c { bits: 8 } => "crc32c.b",
            Helper::Crc32c { bits: 16 } => "crc32c.h",
            Helper::Crc32c { bits: 32 } => "crc32c.w",
            Helper::Crc32c { bits: 64 } => "crc32c.x",
            Helper::Crc32c { .. } => "crc32c.?",
            Helper::AesE => "aese",
            Helper::AesD => "aesd",
            Helper::AesMc => "aesmc",
            Helper::AesImc => "aesimc",
            Helper::PMull64 => "pmull64",
            Helper::Sha1C => "sha1c",
            Helper::Sha1P => "sha1p",
            Helper::Sha1M => "sha1m",
            Helper::Sha1H => "sha1h",
            Helper::Sha1Su0 => "sha1su0",
            Helper::Sha1Su1 => "sha1su1",
            Helper::Sha256H => "sha256h",
            Helper::Sha256H2 => "sha256h2",
            Helper::Sha256Su0 => "sha256su0",
            Helper::Sha256Su1 => "sha256su1",
            Helper::Sha512H => "sha512h",
            Helper::Sha512H2 => "sha512h2",
            Helper::Sha512Su0 => "sha512su0",
            Helper::Sha512Su1 => "sha512su1",
            Helper::JsCvt => "jscvt",
        }
    }

    /// The helper of that name.
    pub fn parse(name: &str) -> Option<Helper> {
        Helper::ALL.iter().copied().find(|h| h.name() == name)
    }
}
