//! Records as lines of JSON.

use std::io::Write;

use crate::{
    booking::{Booking, Of},
    payment::Payment,
    world::World,
};

/// Why writing into a vector does not fail.
const MEMORY: &str = "writing to memory does not fail";

/// Appends a payment.
pub(crate) fn payment(to: &mut Vec<u8>, world: &World, number: u32, payment: &Payment) {
    let Payment { time, card, merchant, cents, country, is_present, .. } = *payment;
    let (euros, cents) = (cents / 100, cents % 100);
    let country = world.country(usize::from(country));
    writeln!(
        to,
        "{{\"payment_id\":\"p{number:07}\",\"authorised_at\":{time},\"card\":\"c{card:06}\",\
         \"merchant\":\"m{merchant:05}\",\"amount\":{{\"value\":{euros}.{cents:02},\
         \"currency\":\"EUR\"}},\"country\":\"{country}\",\"present\":{is_present}}}"
    )
    .expect(MEMORY);
}

/// Appends a chargeback.
pub(crate) fn booking(to: &mut Vec<u8>, booking: &Booking) {
    let Booking { time, of, is_fraud } = *booking;
    let (letter, number) = match of {
        Of::Payment(number) => ('p', number),
        Of::Unknown(number) => ('x', number),
    };
    writeln!(
        to,
        "{{\"payment_id\":\"{letter}{number:07}\",\"booked_at\":{time},\"fraud\":{is_fraud}}}"
    )
    .expect(MEMORY);
}
