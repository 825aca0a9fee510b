//! The LLVM target machine of one emission, its pass pipeline and code generation. Takes a module, gives bytes.

use crate::{Error, Options};
use abi::HostFeature;
use inkwell::OptimizationLevel;
use inkwell::module::Module;
use inkwell::passes::PassBuilderOptions;
use inkwell::targets::{
    CodeModel, FileType, InitializationConfig, RelocMode, Target as LlvmTarget, TargetMachine, TargetTriple,
};
use std::sync::Once;

/// Host features beyond x86-64-v2 that lowerings make use of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Features {
    /// FMA3.
    pub(crate) fma: bool,
    /// AVX: three-operand forms.
    pub(crate) avx: bool,
    /// AVX2.
    pub(crate) avx2: bool,
    /// AVX-512: sixteen more vector registers, and mask registers.
    pub(crate) avx512: bool,
    /// AES-NI.
    pub(crate) aes: bool,
    /// PCLMULQDQ.
    pub(crate) pclmul: bool,
    /// The SHA extensions.
    pub(crate) sha: bool,
}

impl Features {
    /// True if the target, hence every host of the code, has that.
    pub(crate) fn has(&self, feature: HostFeature) -> bool {
        match feature {
            HostFeature::Fma => self.fma,
            HostFeature::Aes => self.aes,
            HostFeature::Pclmul => self.pclmul,
            HostFeature::Sha => self.sha,
        }
    }
}

/// What `compile` gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// An ELF object.
    Object,
    /// Assembly text.
    Assembly,
}

pub(crate) struct Target {
    machine: TargetMachine,
    features: Features,
}

/// LLVM's names of the processors that have what the lowerings take for granted: SSE4.2, POPCNT, CMPXCHG16B. (LLVM has no
/// call that lists or checks names, and ends the process on one without 64-bit code.)
const PROCESSORS: &[&str] = &[
    "x86-64-v2",
    "x86-64-v3",
    "x86-64-v4",
    "native",
    "nehalem",
    "westmere",
    "sandybridge",
    "ivybridge",
    "haswell",
    "broadwell",
    "skylake",
    "skylake-avx512",
    "cascadelake",
    "cooperlake",
    "cannonlake",
    "icelake-client",
    "icelake-server",
    "tigerlake",
    "rocketlake",
    "alderlake",
    "raptorlake",
    "meteorlake",
    "arrowlake",
    "lunarlake",
    "sapphirerapids",
    "emeraldrapids",
    "graniterapids",
    "sierraforest",
    "silvermont",
    "goldmont",
    "goldmont-plus",
    "tremont",
    "gracemont",
    "bdver1",
    "bdver2",
    "bdver3",
    "bdver4",
    "btver2",
    "znver1",
    "znver2",
    "znver3",
    "znver4",
];

/// Checks the name of a processor, so that a wrong one is told before anything is done.
pub(crate) fn check_cpu(cpu: &str) -> Result<(), Error> {
    let error = |reason: String| Err(Error::Target { cpu: cpu.to_string(), reason });
    if !PROCESSORS.contains(&cpu) {
        return error(format!("not a known processor with SSE4.2; name one of {}", PROCESSORS.join(", ")));
    }
    if cpu == "native" && !host_suffices() {
        return error("this machine lacks SSE4.2, POPCNT or CMPXCHG16B; name another processor".into());
    }
    Ok(())
}

fn host_suffices() -> bool {
    std::arch::is_x86_feature_detected!("sse4.2")
        && std::arch::is_x86_feature_detected!("popcnt")
        && std::arch::is_x86_feature_detected!("cmpxchg16b")
}

const TRIPLE: &str = "x86_64-unknown-linux-gnu";

fn initialize() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        LlvmTarget::initialize_x86(&InitializationConfig::default());
        // Where innermost loops begin in a line is worth up to half their time; whoever places the code chooses (`lines`).
        // (`-align-loops` has no effect outside of `llc`.)
        // Many long live ranges meet in many cold blocks here: LLVM's own budget of region splitting takes 40 % longer for the
        // largest functions, and 2 % for a whole program. A third of it is as good for loops; a tenth leaves loops of functions of
        // some hundred blocks full of spills (0006).
        // A guest register's copies at fault blocks, calls and resume points all join one interval, which LLVM by default gives
        // up after 256, if it has more than 100 values; the copies that remain then cost more than joining them, but of intervals of
        // more than 500 values each join takes milliseconds (0006).
        // Strength reduction counts the host registers of a loop, not what fault blocks make of its addresses: what it finds must be
        // better by its own measure than what was there (0040).
        crate::llvm::set_global_options(&[
            "-x86-experimental-pref-innermost-loop-alignment=6",
            "-grow-region-complexity-budget=3000",
            "-large-interval-size-threshold=500",
            "-lsr-drop-solution=true",
        ]);
    });
}

impl Target {
    pub(crate) fn new(options: &Options) -> Result<Target, Error> {
        check_cpu(&options.cpu)?;
        initialize();
        let error = |reason: String| Error::Target { cpu: options.cpu.clone(), reason };
        let (cpu, feature_text) = match options.cpu.as_str() {
            "native" => (
                TargetMachine::get_host_cpu_name().to_string(),
                TargetMachine::get_host_cpu_features().to_string(),
            ),
            other => (other.to_string(), String::new()),
        };
        let has = |f: &str| feature_text.split(',').any(|x| x.strip_prefix('+') == Some(f));
        let v3 = matches!(cpu.as_str(), "x86-64-v3" | "x86-64-v4");
        let features = Features {
            fma: v3 || has("fma"),
            avx: v3 || has("avx"),
            avx2: v3 || has("avx2"),
            avx512: cpu == "x86-64-v4" || has("avx512f"),
            aes: has("aes"),
            pclmul: has("pclmul"),
            sha: has("sha"),
        };
        // SSSE3, SSE4.1, SSE4.2 and CMPXCHG16B are taken for granted by the lowerings.
        let feature_text = match feature_text.as_str() {
            // LLVM tunes x86-64-v2 for Sandy Bridge, where SHLD is a fast rotation; later processors take several times
            // as long for it as for ROL.
            "" => "+sse4.2,+cx16,+popcnt,+sahf,-fast-shld-rotate".to_string(),
            f => f.to_string(),
        };
        let triple = TargetTriple::create(TRIPLE);
        let target = LlvmTarget::from_triple(&triple).map_err(|e| error(e.to_string()))?;
        let level = match options.opt {
            0 => OptimizationLevel::None,
            1 => OptimizationLevel::Less,
            2 => OptimizationLevel::Default,
            _ => OptimizationLevel::Aggressive,
        };
        let machine = target
            .create_target_machine(&triple, &cpu, &feature_text, level, RelocMode::PIC, CodeModel::Small)
            .ok_or_else(|| error("no target machine".into()))?;
        machine.set_asm_verbosity(false);
        Ok(Target { machine, features })
    }

    /// Processor, features and passes.
    pub(crate) fn identity(&self, options: &Options) -> String {
        let m = &self.machine;
        let (cpu, features) = (m.get_cpu(), m.get_feature_string());
        format!("{} {} {:?}", cpu.to_string_lossy(), features.to_string_lossy(), Self::passes(options.opt))
    }

    pub(crate) fn features(&self) -> Features {
        self.features
    }

    /// The pass list by level; code generation dominates the time, so the lists are short (design, cost of translation).
    fn passes(opt: u8) -> &'static str {
        match opt {
            0 => "mem2reg",
            1 => "sroa,early-cse,simplifycfg,dse",
            2 => "sroa,early-cse<memssa>,instcombine<no-verify-fixpoint>,simplifycfg,dse",
            _ => {
                "sroa,early-cse<memssa>,instcombine<no-verify-fixpoint>,simplifycfg,\
                 loop-mssa(licm),gvn,instcombine<no-verify-fixpoint>,simplifycfg,dse"
            }
        }
    }

    pub(crate) fn optimise(&self, module: &Module<'_>, options: &Options) -> Result<(), Error> {
        module.set_triple(&self.machine.get_triple());
        module.set_data_layout(&self.machine.get_target_data().get_data_layout());
        // Costs less than a hundredth of the passes, and wrong code is worse than none.
        module.verify().map_err(|e| Error::Llvm(e.to_string()))?;
        module
            .run_passes(Self::passes(options.opt), &self.machine, PassBuilderOptions::create())
            .map_err(|e| Error::Llvm(e.to_string()))?;
        crate::llvm::extend_addends(module);
        Ok(())
    }

    pub(crate) fn compile(
        &self,
        module: &Module<'_>,
        options: &Options,
        kind: Kind,
    ) -> Result<Vec<u8>, Error> {
        self.optimise(module, options)?;
        let file = match kind {
            Kind::Object => FileType::Object,
            Kind::Assembly => FileType::Assembly,
        };
        let buffer =
            self.machine.write_to_memory_buffer(module, file).map_err(|e| Error::Llvm(e.to_string()))?;
        let mut bytes = buffer.as_slice().to_vec();
        if kind == Kind::Assembly {
            // inkwell counts the buffer's terminating NUL.
            while bytes.last() == Some(&0) {
                bytes.pop();
            }
        }
        Ok(bytes)
    }
}
