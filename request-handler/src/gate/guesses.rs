//! Passwords that visitors try. A try costs memory and time on purpose, so few run at once, few wait, and who has been
//! wrong too often has to wait: guessing takes nothing from other sites but a part of one core in two.

use std::net::IpAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use gitdeploy_core::Password;
use tokio::sync::Semaphore;

use super::rate::Rate;
use crate::connection::Occupancy;

/// How many tries may be under way for one password: those that wait, and those that run.
const UNDER_WAY: usize = 8;

/// The most tries that run at once, whatever the machine has.
const MOST: usize = 4;

/// The tries of all visitors.
#[derive(Debug)]
pub(super) struct Guesses {
    rate: Rate,
    under_way: Arc<Occupancy>,
    running: Arc<Semaphore>,
}

/// Why a password is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The address may try again after this time.
    TooOften(Duration),
    /// Too many try this password.
    Busy,
}

impl Default for Guesses {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            rate: Rate::default(),
            under_way: Occupancy::new(UNDER_WAY),
            running: Arc::new(Semaphore::new((cores / 2).clamp(1, MOST))),
        }
    }
}

impl Guesses {
    /// Whether `given` is the password. Being right costs an address nothing of its tries.
    pub(super) async fn is_right(
        &self,
        password: &Password,
        given: String,
        address: IpAddr,
    ) -> Result<bool, Refusal> {
        self.rate.take(address).map_err(Refusal::TooOften)?;
        let Some(seat) = self.under_way.take(&password.hash) else {
            // It was not even looked at.
            self.rate.give_back(address);
            return Err(Refusal::Busy);
        };
        let Ok(permit) = Arc::clone(&self.running).acquire_owned().await else { return Err(Refusal::Busy) };
        let password = password.clone();
        // Both are held for as long as it runs, even if the visitor goes away meanwhile.
        let hash = tokio::task::spawn_blocking(move || {
            let is_right = password.is(&given);
            drop((permit, seat));
            is_right
        });
        let is_right = hash.await.unwrap_or(false);
        if is_right {
            self.rate.give_back(address);
        }
        Ok(is_right)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    fn address(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[tokio::test]
    async fn one_address_may_be_wrong_ten_times_and_right_as_often_as_it_likes() {
        let (guesses, password) = (Guesses::default(), Password::new("correct horse", [0; 16]).unwrap());
        let guess =
            async |text: &str, last| guesses.is_right(&password, text.to_owned(), address(last)).await;
        for _ in 0..12 {
            assert_eq!(guess("correct horse", 1).await, Ok(true));
        }
        let mut wrong = 0;
        while guess("another horse", 1).await == Ok(false) {
            wrong += 1;
        }
        assert!(wrong >= 10, "{wrong}");
        assert!(matches!(guess("correct horse", 1).await, Err(Refusal::TooOften(_))));
        assert_eq!(guess("correct horse", 2).await, Ok(true), "another address");
    }

    #[tokio::test]
    async fn a_password_that_many_try_at_once_stops_no_other() {
        let (guesses, attacked) = (Guesses::default(), Password::new("correct horse", [0; 16]).unwrap());
        let other = Password::new("correct horse", [1; 16]).unwrap();
        let tries =
            (0..200).map(|last| guesses.is_right(&attacked, "another horse".to_owned(), address(last)));
        let calm = guesses.is_right(&other, "correct horse".to_owned(), address(201));
        let (tries, calm) = tokio::join!(join_all(tries), calm);
        assert_eq!(calm, Ok(true));
        assert!(tries.iter().filter(|result| **result == Ok(false)).count() >= UNDER_WAY);
        assert!(tries.iter().filter(|result| **result == Err(Refusal::Busy)).count() >= 100);
        assert_eq!(guesses.is_right(&attacked, "correct horse".to_owned(), address(0)).await, Ok(true));
    }
}
