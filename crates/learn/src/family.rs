//! The table of a family: one line for each component.
//!
//! The table makes the modules, an enum of the settings (externally tagged, so that a mistake in
//! the pipeline file keeps its line and column), and the one function that builds any entry.

/// Lists a family's components.
macro_rules! family {
    (
        $(#[$doc:meta])*
        $family:ident of dyn $object:ident via $component:path, built with $argument:ty;
        $list:tt
        $(also $name:ident -> $result:ty $(, via $asked:path)?)?
    ) => {
        family! { @entries [$(#[$doc])*] $family $object $component, $argument; $list }
        $(family! { @also $family $component $(, $asked)?; $name $result; $list })?
    };

    // What is asked may stand in a trait of its own, beside the one that builds.
    (@also $family:ident $component:path, $asked:path; $($rest:tt)*) => {
        family! { @also $family $asked; $($rest)* }
    };

    (
        @entries [$(#[$doc:meta])*] $family:ident $object:ident $component:path, $argument:ty;
        { $($module:ident::$type:ident,)* }
    ) => {
        $(pub mod $module;)*

        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $family {
            $(
                #[doc = concat!("`", stringify!($module), "`")]
                $type($module::Config),
            )*
        }

        impl $family {
            /// Every entry's name, in the order of the table.
            pub const NAMES: &'static [&'static str] =
                &[$(<$module::$type as $component>::NAME),*];

            /// The entry of that name with its defaults.
            pub fn by_name(name: &str) -> Option<$family> {
                $(if name == <$module::$type as $component>::NAME {
                    return Some($family::$type(Default::default()));
                })*
                None
            }

            /// The entry's name.
            pub fn name(&self) -> &'static str {
                match self {
                    $($family::$type(_) => <$module::$type as $component>::NAME,)*
                }
            }

            /// Builds the entry.
            ///
            /// # Errors
            /// Names the setting, its value and what would be right.
            pub fn build(&self, with: $argument) -> Result<Box<dyn $object>, $crate::ConfigError> {
                match self {
                    $($family::$type(config) => {
                        <$module::$type as $component>::new(config.clone(), with)
                            .map(|built| Box::new(built) as Box<dyn $object>)
                    })*
                }
            }
        }

        #[cfg(test)]
        mod names {
            #[test]
            fn every_name_is_the_name_of_its_file() {
                let files = [$(stringify!($module)),*];
                assert_eq!(super::$family::NAMES, files);
            }
        }
    };

    (
        @also $family:ident $component:path; $name:ident $result:ty;
        { $($module:ident::$type:ident,)* }
    ) => {
        impl $family {
            /// Asks the entry, by its settings, before it is built.
            pub fn $name(&self) -> $result {
                match self {
                    $($family::$type(config) => <$module::$type as $component>::$name(config),)*
                }
            }
        }
    };
}

pub(crate) use family;
