//! One row per setting, and the macro that makes the rows and the structs from one table.

use crate::{
    error::Reason,
    settings::{FIELDS, GROUPS, Settings},
    value::{Bounds, Raw, Setting},
};

/// A setting as loader, default file, schema and listing see it.
#[derive(Debug)]
pub(crate) struct Field {
    /// Its name, after the name of its group and a dot where it is in one.
    pub(crate) path: &'static str,
    /// The lines of its documentation.
    pub(crate) doc: &'static [&'static str],
    /// What may be written, where that is a range or a few words.
    pub(crate) allowed: fn() -> Option<String>,
    pub(crate) get: fn(&Settings) -> Raw,
    pub(crate) set: fn(&mut Settings, &Raw) -> Result<(), Reason>,
}

/// Settings that belong together under one name.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static [&'static str],
}

impl Field {
    /// The group and the name inside it.
    pub(crate) fn parts(&self) -> (Option<&'static str>, &'static str) {
        match self.path.split_once('.') {
            Some((group, name)) => (Some(group), name),
            None => (None, self.path),
        }
    }

    pub(crate) fn default(&self) -> Raw {
        (self.get)(&Settings::default())
    }
}

pub(crate) fn find(path: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.path == path)
}

pub(crate) fn is_group(name: &str) -> bool {
    GROUPS.iter().any(|group| group.name == name)
}

pub(crate) fn of_group(name: &str) -> impl Iterator<Item = &'static Field> {
    FIELDS.iter().filter(move |field| field.parts().0 == Some(name))
}

/// What may be written for a setting of type `T` within `bounds`.
pub(crate) fn allowed<T: Setting>(bounds: &Bounds<T::Bound>) -> Option<String> {
    let words = || (!T::CHOICES.is_empty()).then(|| T::CHOICES.join(", "));
    bounds.describe().or_else(words)
}

macro_rules! bounds {
    () => {
        $crate::value::Bounds::Any
    };
    ($bounds:expr) => {
        $bounds
    };
}

/// A struct of settings with its defaults. The default is part of the documentation.
macro_rules! settings_struct {
    (
        $(#[$attribute:meta])*
        $name:ident {
            $( $(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:expr; )+
        }
        $( $(#[doc = $group_doc:literal])+ $group:ident: $Group:ty; )*
    ) => {
        $(#[$attribute])*
        #[derive(
            Clone, Debug, PartialEq, Eq,
            serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                #[doc = concat!("\n\nDefault: `", stringify!($default), "`.")]
                #[schemars(description = concat!($($doc),+).trim())]
                pub $field: $type,
            )+
            $( $(#[doc = $group_doc])+ pub $group: $Group, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $( $field: $default, )+
                    $( $group: <$Group>::default(), )*
                }
            }
        }
    };
}

/// Declares `Settings`, its groups, and the tables `FIELDS` and `GROUPS` over them.
macro_rules! settings {
    (
        $(#[$top_attribute:meta])*
        settings {
            $( $(#[doc = $doc:literal])+
               $field:ident: $type:ty = $default:expr $(, $bounds:expr)?; )+
        }
        groups { $(
            $(#[doc = $group_doc:literal])+
            $group:ident: $Group:ident {
                $( $(#[doc = $leaf_doc:literal])+
                   $leaf:ident: $leaf_type:ty = $leaf_default:expr $(, $leaf_bounds:expr)?; )+
            }
        )+ }
    ) => {
        $crate::field::settings_struct! {
            $(#[$top_attribute])*
            Settings { $( $(#[doc = $doc])+ $field: $type = $default; )+ }
            $( $(#[doc = $group_doc])+ $group: $Group; )+
        }

        $( $crate::field::settings_struct! {
            $(#[doc = $group_doc])+
            $Group { $( $(#[doc = $leaf_doc])+ $leaf: $leaf_type = $leaf_default; )+ }
        } )+

        /// Every setting: those without a group in the order of the struct, then group by group.
        pub(crate) const FIELDS: &[$crate::field::Field] = &[
            $( $crate::field::Field {
                path: stringify!($field),
                doc: &[$($doc),+],
                allowed: || $crate::field::allowed::<$type>(&$crate::field::bounds!($($bounds)?)),
                get: |settings| $crate::value::Setting::raw(&settings.$field),
                set: |settings, raw| {
                    let bounds = $crate::field::bounds!($($bounds)?);
                    settings.$field = <$type as $crate::value::Setting>::read(raw, &bounds)?;
                    Ok(())
                },
            }, )+
            $( $( $crate::field::Field {
                path: concat!(stringify!($group), ".", stringify!($leaf)),
                doc: &[$($leaf_doc),+],
                allowed: || {
                    $crate::field::allowed::<$leaf_type>(&$crate::field::bounds!($($leaf_bounds)?))
                },
                get: |settings| $crate::value::Setting::raw(&settings.$group.$leaf),
                set: |settings, raw| {
                    let bounds = $crate::field::bounds!($($leaf_bounds)?);
                    settings.$group.$leaf =
                        <$leaf_type as $crate::value::Setting>::read(raw, &bounds)?;
                    Ok(())
                },
            }, )+ )+
        ];

        /// Every group, in the order of the struct.
        pub(crate) const GROUPS: &[$crate::field::Group] = &[
            $( $crate::field::Group {
                name: stringify!($group),
                doc: &[$($group_doc),+],
            }, )+
        ];
    };
}

pub(crate) use {bounds, settings, settings_struct};
