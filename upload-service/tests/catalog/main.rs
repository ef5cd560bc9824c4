//! What a caller may rely on, asserted on every catalog: in a file of SQLite, and in DynamoDB over the wire.

#![expect(clippy::unwrap_used, reason = "a test fails where it is surprised")]

mod access;
mod dynamodb;
mod file;
mod lists;
mod promotions;
mod races;
mod replicas;
mod states;
mod support;

macro_rules! over_every_catalog {
    ($($module:ident :: $test:ident)*) => {
        mod in_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                let (catalog, _directory) = crate::support::in_a_file();
                crate::$module::$test(catalog).await;
            })*
        }

        mod in_dynamodb {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                crate::$module::$test(crate::support::in_dynamodb().await).await;
            })*
        }
    };
}

over_every_catalog! {
    access::a_code_is_used_once
    access::a_secret_stays_the_first
    access::a_session_lasts_until_it_ends
    lists::lists_are_complete_while_deployments_are_added
    lists::lists_are_filtered
    lists::what_was_not_made_is_not_found
    promotions::after_a_rollback_a_build_that_was_begun_before_does_not_come_back
    promotions::an_older_deployment_is_promoted_on_request_and_a_newer_one_replaces_it
    promotions::of_64_that_promote_one_is_in_production
    promotions::what_is_not_ready_is_not_promoted
    races::of_64_that_become_ready_the_newest_is_in_production
    races::of_64_that_change_one_deployment_none_is_lost
    races::of_64_that_claim_each_gets_another_deployment_and_one_of_a_project
    races::of_64_that_finish_one_deployment_one_wins
    races::of_64_that_take_over_one_wins
    replicas::a_lease_is_renewed_and_taken_over_when_it_is_over
    replicas::a_lost_builder_s_deployment_waits_again
    replicas::a_session_binds_an_attempt
    replicas::the_catalog_can_be_reached
    states::a_canceled_deployment_is_not_claimed_and_a_running_one_is_told
    states::a_deployment_is_read_as_it_was_written
    states::a_text_of_a_builder_that_is_too_long_is_cut
    states::an_older_deployment_never_replaces_a_newer_one
    states::states_only_move_forward
}
