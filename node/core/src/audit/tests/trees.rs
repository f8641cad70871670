//! The tree against the vectors that implementations of RFC 6962 share (those of
//! certificate-transparency's own), and against another implementation.

use std::collections::HashMap;
use std::convert::Infallible;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use proptest::sample::Index;
use sha2::Sha256;

use crate::audit::tree::{
    Frontier, Hash, Nodes, ProofError, consistency, empty_root, inclusion, leaf_hash, root,
    verify_consistency, verify_inclusion,
};

const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2)
        .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
        .collect()
}

/// A tree whose full subtrees are kept in memory.
#[derive(Default)]
struct Tree {
    nodes: HashMap<(u32, u64), Hash>,
    frontier: Frontier,
}

impl Tree {
    fn of<T: AsRef<[u8]>>(leaves: &[T]) -> Self {
        let mut tree = Self::default();
        for leaf in leaves {
            for node in tree.frontier.append(leaf_hash(leaf.as_ref())) {
                assert_eq!(tree.nodes.insert((node.level, node.index), node.hash), None);
            }
        }
        tree
    }

    fn root(&self, size: u64) -> Hash {
        let Ok(root) = root(self, size);
        root
    }

    fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        let Ok(proof) = inclusion(self, index, size);
        proof
    }

    fn consistency(&self, old: u64, new: u64) -> Option<Vec<Hash>> {
        let Ok(proof) = consistency(self, old, new);
        proof
    }
}

impl Nodes for Tree {
    type Error = Infallible;

    fn node(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
        Ok(self.nodes[&(level, index)])
    }
}

fn vectors() -> Tree {
    Tree::of(&LEAVES.map(unhex))
}

#[test]
fn roots_are_those_of_the_vectors() {
    let tree = vectors();
    for (size, expected) in (1..).zip(ROOTS) {
        assert_eq!(hex(&tree.root(size)), expected);
    }
    assert_eq!(hex(&tree.frontier.root()), ROOTS[7]);
    assert_eq!(
        hex(&empty_root()),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    assert_eq!((tree.root(0), Frontier::default().root()), (empty_root(), empty_root()));
}

#[test]
fn proofs_are_those_of_the_vectors() {
    let tree = vectors();
    let texts = |proof: Option<Vec<Hash>>| {
        proof.unwrap().iter().map(|hash| hex(&hash[..4])).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(texts(tree.inclusion(0, 1)), "");
    assert_eq!(texts(tree.inclusion(0, 8)), "96a296d2 5f083f0a 6b47aaf2");
    assert_eq!(texts(tree.inclusion(5, 8)), "bc1a0643 ca854ea1 d37ee418");
    assert_eq!(texts(tree.inclusion(2, 3)), "fac54203");
    assert_eq!(texts(tree.inclusion(1, 5)), "6e340b9c 5f083f0a bc1a0643");
    assert_eq!(tree.inclusion(8, 8), None);
    assert_eq!(texts(tree.consistency(1, 1)), "");
    assert_eq!(texts(tree.consistency(1, 8)), "96a296d2 5f083f0a 6b47aaf2");
    assert_eq!(texts(tree.consistency(6, 8)), "0ebc5d34 ca854ea1 d37ee418");
    assert_eq!(texts(tree.consistency(2, 5)), "5f083f0a bc1a0643");
    assert_eq!(tree.consistency(8, 7), None);
}

#[test]
fn an_edge_has_as_many_peaks_as_its_size_has_bits() {
    let frontier = vectors().frontier;
    assert_eq!(Frontier::new(8, frontier.peaks().to_vec()), Some(frontier.clone()));
    assert_eq!(Frontier::new(7, frontier.peaks().to_vec()), None);
}

/// Every proof that is not the one that was given.
fn damaged(proof: &[Hash], at: Index, bit: u8) -> Vec<Vec<Hash>> {
    let mut longer = proof.to_vec();
    longer.push([0; 32]);
    let mut all = vec![longer];
    if !proof.is_empty() {
        let mut flipped = proof.to_vec();
        flipped[at.index(proof.len())][usize::from(bit / 8) % 32] ^= 1 << (bit % 8);
        all.extend([flipped, proof[1..].to_vec(), proof[..proof.len() - 1].to_vec()]);
    }
    all
}

proptest! {
    #[test]
    fn inclusion_is_proven_and_nothing_else(
        leaves in prop::collection::vec(any::<[u8; 3]>(), 1..70),
        size in any::<Index>(), index in any::<Index>(), other in any::<Index>(), at in any::<Index>(), bit in any::<u8>(),
    ) {
        let tree = Tree::of(&leaves);
        let size = size.index(leaves.len()) + 1;
        let (index, other) = (index.index(size), other.index(size));
        let (root, leaf) = (tree.root(size as u64), leaf_hash(&leaves[index]));
        let proof = tree.inclusion(index as u64, size as u64).unwrap();
        let verify = |leaf: &Hash, index: usize, proof: &[Hash]| verify_inclusion(leaf, index as u64, size as u64, &root, proof);
        prop_assert_eq!(verify(&leaf, index, &proof), Ok(()));
        for wrong in damaged(&proof, at, bit) {
            prop_assert!(verify(&leaf, index, &wrong).is_err());
        }
        prop_assert_eq!(verify(&[0; 32], index, &proof), Err(ProofError::Root));
        prop_assert!(other == index || verify(&leaf, other, &proof).is_err());
        prop_assert_eq!(verify(&leaf, size, &proof), Err(ProofError::OutOfRange(size as u64, size as u64)));
    }

    #[test]
    fn consistency_is_proven_and_nothing_else(
        leaves in prop::collection::vec(any::<[u8; 3]>(), 0..70),
        new in any::<Index>(), old in any::<Index>(), at in any::<Index>(), bit in any::<u8>(),
    ) {
        let tree = Tree::of(&leaves);
        let new = new.index(leaves.len() + 1) as u64;
        let old = old.index(usize::try_from(new).unwrap() + 1) as u64;
        let (old_root, new_root) = (tree.root(old), tree.root(new));
        let proof = tree.consistency(old, new).unwrap();
        let verify = |old_root: &Hash, new_root: &Hash, proof: &[Hash]| verify_consistency(old, old_root, new, new_root, proof);
        prop_assert_eq!(verify(&old_root, &new_root, &proof), Ok(()));
        for wrong in damaged(&proof, at, bit) {
            prop_assert!(verify(&old_root, &new_root, &wrong).is_err());
        }
        prop_assert!(verify(&[0; 32], &new_root, &proof).is_err());
        // Everything begins with nothing, so of an empty old tree the new one is not asked.
        prop_assert!(old == 0 || verify(&old_root, &[0; 32], &proof).is_err());
        prop_assert_eq!(verify_consistency(new + 1, &old_root, new, &new_root, &proof), Err(ProofError::OutOfRange(new + 1, new)));
    }

    #[test]
    fn another_implementation_comes_to_the_same(
        leaves in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5), 1..70), index in any::<Index>(), added in any::<Index>(),
    ) {
        let ours = Tree::of(&leaves);
        let mut theirs = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        for leaf in &leaves {
            theirs.push(leaf.clone());
        }
        let size = leaves.len() as u64;
        let root = ours.frontier.root();
        let same = theirs.root();
        prop_assert_eq!(&same.as_bytes()[..], &root[..]);
        prop_assert_eq!(root, ours.root(size));
        let index = index.index(leaves.len());
        let proof = ours.inclusion(index as u64, size).unwrap().concat();
        let same = theirs.prove_inclusion(index);
        prop_assert_eq!(same.as_bytes(), &proof[..]);
        let added = added.index(leaves.len());
        let proof = ours.consistency(size - added as u64, size).unwrap().concat();
        let same = theirs.prove_consistency(added);
        prop_assert_eq!(same.as_bytes(), &proof[..]);
    }
}
