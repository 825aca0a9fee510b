//! Cryptographic instructions: AES, SHA-1, SHA-256 (Arm ARM F4.1.22). Rounds are named helpers, A64's.

use super::operands::*;
use crate::a32::cx::{Cx, Lift};
use crate::a32::table::Row;
use ir::{Helper, PureOp, Type};

/// AES.
pub const AES: &[Row] = rows! { Aes:
    "AESE" "1111 0011 1d11 0000 dddd 0011 00m0 mmmm" |cx, w| dm_op(cx, w, Helper::AesE);
    "AESD" "1111 0011 1d11 0000 dddd 0011 01m0 mmmm" |cx, w| dm_op(cx, w, Helper::AesD);
    "AESMC" "1111 0011 1d11 0000 dddd 0011 10m0 mmmm" |cx, w| mix(cx, w, Helper::AesMc);
    "AESIMC" "1111 0011 1d11 0000 dddd 0011 11m0 mmmm" |cx, w| mix(cx, w, Helper::AesImc);
};

/// SHA-1.
pub const SHA1: &[Row] = rows! { Sha1:
    "SHA1C" "1111 0010 0d00 nnnn dddd 1100 n1m0 mmmm" |cx, w| dnm_op(cx, w, Helper::Sha1C);
    "SHA1P" "1111 0010 0d01 nnnn dddd 1100 n1m0 mmmm" |cx, w| dnm_op(cx, w, Helper::Sha1P);
    "SHA1M" "1111 0010 0d10 nnnn dddd 1100 n1m0 mmmm" |cx, w| dnm_op(cx, w, Helper::Sha1M);
    "SHA1SU0" "1111 0010 0d11 nnnn dddd 1100 n1m0 mmmm" |cx, w| dnm_op(cx, w, Helper::Sha1Su0);
    "SHA1H" "1111 0011 1d11 1001 dddd 0010 11m0 mmmm" sha1h;
    "SHA1SU1" "1111 0011 1d11 1010 dddd 0011 10m0 mmmm" |cx, w| dm_op(cx, w, Helper::Sha1Su1);
};

/// SHA-256.
pub const SHA256: &[Row] = rows! { Sha2:
    "SHA256H" "1111 0011 0d00 nnnn dddd 1100 n1m0 mmmm" |cx, w| dnm_op(cx, w, Helper::Sha256H);
    "SHA256H2" "1111 0011 0d01 nnnn dddd 1100 n1m0 mmmm" |cx, w| dnm_op(cx, w, Helper::Sha256H2);
    "SHA256SU1" "1111 0011 0d10 nnnn dddd 1100 n1m0 mmmm" |cx, w| dnm_op(cx, w, Helper::Sha256Su1);
    "SHA256SU0" "1111 0011 1d11 1010 dddd 0011 11m0 mmmm" |cx, w| dm_op(cx, w, Helper::Sha256Su0);
};

/// `SHA256H.32 Qd, Qn, Qm`
fn dnm_op(cx: &mut Cx<'_, '_>, w: u32, helper: Helper) -> Lift {
    even(&[dd(w), dn(w), dm(w)])?;
    let (d, n, m) = (cx.pair(dd(w)), cx.pair(dn(w)), cx.pair(dm(w)));
    let r = cx.b.pure(PureOp::Helper(helper), &[d, n, m]);
    cx.set_pair(dd(w), r);
    Ok(None)
}

/// `AESE.8 Qd, Qm`
fn dm_op(cx: &mut Cx<'_, '_>, w: u32, helper: Helper) -> Lift {
    even(&[dd(w), dm(w)])?;
    let (d, m) = (cx.pair(dd(w)), cx.pair(dm(w)));
    let r = cx.b.pure(PureOp::Helper(helper), &[d, m]);
    cx.set_pair(dd(w), r);
    Ok(None)
}

/// `AESMC.8 Qd, Qm`
fn mix(cx: &mut Cx<'_, '_>, w: u32, helper: Helper) -> Lift {
    even(&[dd(w), dm(w)])?;
    let m = cx.pair(dm(w));
    let r = cx.b.pure(PureOp::Helper(helper), &[m]);
    cx.set_pair(dd(w), r);
    Ok(None)
}

/// `SHA1H.32 Qd, Qm`
fn sha1h(cx: &mut Cx<'_, '_>, w: u32) -> Lift {
    even(&[dd(w), dm(w)])?;
    let m = cx.half(dm(w));
    let m = cx.b.pure_ty(PureOp::VToScalar, Type::I32, &[m]);
    let r = cx.b.pure(PureOp::Helper(Helper::Sha1H), &[m]);
    let r = cx.b.pure(PureOp::VFromScalar, &[r]);
    cx.set_pair(dd(w), r);
    Ok(None)
}
