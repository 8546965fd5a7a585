//! All neurons of a network.
