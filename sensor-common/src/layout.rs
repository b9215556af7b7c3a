//! The layout of the records, asserted: what one side writes is what the
//! other reads, without holes that would leak kernel memory.

use core::mem::{align_of, offset_of, size_of};

use crate::event::{Exec, Exit, Figures, Fork, Header, Late, Output, OutputFile, Sender, Tap};
use crate::limits::{COMM_LEN, MARKS};
use crate::scheduler::{BUCKETS, Counts, Departure, Watched};

const HEADER: usize = 24;
const FIGURES: usize = 12 * 8;

const _: () = {
    assert!(size_of::<Header>() == HEADER);
    assert!(size_of::<Figures>() == FIGURES);

    assert!(size_of::<Fork>() == HEADER + 4 + 4 + 8 + 8);
    assert!(offset_of!(Fork, parent_start) == HEADER + 8);

    assert!(offset_of!(Exec, figures) == HEADER + 4 + 4 + 8 + 8);
    assert!(offset_of!(Exec, comm) == HEADER + 24 + FIGURES);
    assert!(size_of::<Exec>() == HEADER + 24 + FIGURES + COMM_LEN + 2 * 8 + 4 * 4 + 2 * 16);
    assert!(offset_of!(Exec, outputs) == size_of::<Exec>() - 2 * size_of::<OutputFile>());

    assert!(offset_of!(Exit, figures) == HEADER + 6 * 4);
    assert!(size_of::<Exit>() == HEADER + 6 * 4 + FIGURES + 8 + 8 + size_of::<Sender>());
    assert!(size_of::<Sender>() == 4 * 4 + COMM_LEN);

    assert!(size_of::<Output>() == HEADER + 2 * 4 + size_of::<OutputFile>());

    assert!(offset_of!(Late, figures) == HEADER + 8);
    assert!(size_of::<Tap>() == HEADER + 2 * 4);

    assert!(size_of::<Late>() == HEADER + 8 + FIGURES);

    assert!(size_of::<Watched>() == 8 + 4 + 4);
    assert!(size_of::<Departure>() == 5 * 8);
    assert!(size_of::<Counts>() == (2 * (BUCKETS + 1) + 1) * 8);
    assert!(MARKS.is_power_of_two());

    assert!(align_of::<Exec>() == 8 && align_of::<Exit>() == 8);
};
