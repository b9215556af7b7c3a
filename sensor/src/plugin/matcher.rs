//! stub
#![allow(missing_docs)]
pub struct Candidate<'a> {
    pub pid: u32,
    pub comm: &'a [u8],
    pub exe: Option<&'a [u8]>,
    pub args: Option<&'a [&'a [u8]]>,
}
#[derive(Default)]
pub struct Matcher;
impl Matcher {
    pub fn matches(&self, _: &Candidate<'_>, _: &mut Vec<usize>) {}
}
