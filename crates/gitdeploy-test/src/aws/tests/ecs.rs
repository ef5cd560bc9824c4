use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::*;

#[tokio::test]
async fn a_task_runs_the_program_with_its_own_variables_only_and_its_end_is_told() {
    let aws = server("env | sort; exit 7").await;
    let overrides = json!({"containerOverrides": [{"name": "builder", "environment": [
        {"name": "FROM", "value": "overrides"}, {"name": "GIVEN", "value": "a b"},
    ]}]});
    let request = with(json!({
        "overrides": overrides, "startedBy": "deployment-1", "tags": [{"key": "project", "value": "blog"}],
        "enableECSManagedTags": true,
    }));
    let (status, answer) = call(&aws, "RunTask", request).await;
    assert_eq!(status, 200, "{answer}");
    let shown = &answer["tasks"][0];
    assert_eq!((&shown["startedBy"], &shown["desiredStatus"]), (&json!("deployment-1"), &json!("RUNNING")));
    assert!(shown["createdAt"].is_number());
    let task = until_status(&aws, Status::Stopped).await;
    assert_eq!((task.exit_code, task.stop_code), (Some(7), Some(StopCode::EssentialContainerExited)));
    let output: Vec<&str> = task.output.iter().map(String::as_str).collect();
    let own =
        |line: &&&str| !line.starts_with("PWD=") && !line.starts_with("_=") && !line.starts_with("SHLVL=");
    let output: Vec<&&str> = output.iter().filter(own).collect();
    assert_eq!(output, [&"FROM=overrides", &"GIVEN=a b", &"PATH=/usr/bin:/bin"]);
    assert_eq!(
        task.tags,
        [("project", "blog"), ("aws:ecs:clusterName", "gitdeploy")]
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
    );

    let events = events(&aws).await;
    let seen: Vec<_> = events
        .iter()
        .map(|event| {
            (event["detail"]["version"].as_u64().unwrap(), event["detail"]["lastStatus"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        seen,
        [(1, "PROVISIONING"), (2, "PENDING"), (3, "RUNNING"), (4, "DEPROVISIONING"), (5, "STOPPED")]
    );
    let last = events.last().unwrap();
    assert_eq!((&last["source"], &last["detail-type"]), (&json!("aws.ecs"), &json!("ECS Task State Change")));
    assert_eq!(last["detail"]["containers"][0]["exitCode"], 7);
    assert!(last["detail"]["stoppedAt"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn a_token_stands_for_one_task_even_after_its_end() {
    let aws = server("exit 0").await;
    let first = with(json!({"clientToken": "id.1", "startedBy": "a"}));
    let (_, one) = call(&aws, "RunTask", first.clone()).await;
    until_status(&aws, Status::Stopped).await;
    let (status, again) = call(&aws, "RunTask", first).await;
    assert_eq!((status, &again["tasks"][0]["taskArn"]), (200, &one["tasks"][0]["taskArn"]));
    let arn = &one["tasks"][0]["taskArn"];
    let in_short = json!({"taskArn": arn, "lastStatus": "STOPPED", "desiredStatus": "STOPPED"});
    assert_eq!(again["tasks"], json!([in_short]), "a repeated answer does not tell how a task ended");
    let (status, other) = call(&aws, "RunTask", with(json!({"clientToken": "id.1", "startedBy": "b"}))).await;
    assert_eq!((status, &other["__type"]), (400, &json!("ConflictException")));
    assert_eq!(other["resourceIds"], json!([one["tasks"][0]["taskArn"]]));
    assert_eq!((aws.tasks().len(), aws.requests("RunTask")), (1, 3));
}

#[tokio::test]
async fn a_token_without_room_stays_without() {
    let aws = server("exit 0").await;
    aws.fail_launches("RESOURCE:MEMORY", 1);
    for _ in 0..2 {
        let (status, answer) = call(&aws, "RunTask", with(json!({"clientToken": "id.1"}))).await;
        assert_eq!((status, &answer["failures"][0]["reason"]), (200, &json!("RESOURCE:MEMORY")), "{answer}");
    }
    let (status, other) = call(&aws, "RunTask", with(json!({"clientToken": "id.1", "startedBy": "b"}))).await;
    assert_eq!((status, &other["resourceIds"]), (400, &json!([])), "{other}");
    assert!(aws.tasks().is_empty());
    let (_, answer) = call(&aws, "RunTask", with(json!({"clientToken": "id.2"}))).await;
    assert_eq!(answer["tasks"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_ecs_refuses_is_refused() {
    let aws = server("exit 0").await;
    let long = "x".repeat(8192);
    let strategy = json!([{"capacityProvider": "FARGATE_SPOT", "weight": 1}]);
    let cases = [
        (json!({"cluster": "other"}), "ClusterNotFoundException"),
        (json!({"taskDefinition": "other"}), "ClientException"),
        (json!({"taskDefinition": "gitdeploy-builder:2"}), "ClientException"),
        (json!({"overrides": {"containerOverrides": [{"name": "other"}]}}), "InvalidParameterException"),
        (
            json!({"overrides": {"containerOverrides": [{"name": "builder", "environment": [{"name": "A", "value": long}]}]}}),
            "InvalidParameterException",
        ),
        (json!({"networkConfiguration": null}), "InvalidParameterException"),
        (
            json!({"networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}}),
            "InvalidParameterException",
        ),
        (json!({"capacityProviderStrategy": strategy}), "InvalidParameterException"),
        (
            json!({"launchType": null, "capacityProviderStrategy": strategy, "networkConfiguration": null}),
            "InvalidParameterException",
        ),
        (json!({"clientToken": "x".repeat(65)}), "InvalidParameterException"),
        (json!({"startedBy": "a.b"}), "InvalidParameterException"),
        (json!({"startedBy": "x".repeat(129)}), "InvalidParameterException"),
        (json!({"tags": [{"key": "aws:x", "value": ""}]}), "InvalidParameterException"),
        (json!({"count": 11}), "InvalidParameterException"),
    ];
    for (members, kind) in cases {
        let (status, answer) = call(&aws, "RunTask", with(members.clone())).await;
        assert_eq!((status, answer["__type"].as_str()), (400, Some(kind)), "{members}: {answer}");
    }
    assert!(aws.tasks().is_empty());
}

#[tokio::test]
async fn a_strategy_says_where_a_task_runs() {
    let aws = server("exit 0").await;
    let strategy = json!([{"capacityProvider": "FARGATE", "weight": 1}, {"capacityProvider": "FARGATE_SPOT", "weight": 3}]);
    let (_, answer) =
        call(&aws, "RunTask", with(json!({"launchType": null, "capacityProviderStrategy": strategy}))).await;
    let task = &answer["tasks"][0];
    assert_eq!(
        (&task["capacityProviderName"], &task["launchType"]),
        (&json!("FARGATE_SPOT"), &json!("FARGATE"))
    );
}

#[tokio::test]
async fn a_stopped_task_is_asked_first_and_killed_when_it_does_not_listen() {
    for (script, code) in [
        ("trap 'exit 3' TERM; echo up; while :; do sleep 0.05; done", 3),
        ("trap '' TERM; echo up; while :; do sleep 0.05; done", 137),
    ] {
        let aws = server(script).await;
        let arn = run(&aws).await;
        until_said(&aws, "up").await;
        let (status, answer) =
            call(&aws, "StopTask", json!({"cluster": aws.cluster().arn(), "task": arn, "reason": "enough"}))
                .await;
        assert_eq!((status, &answer["task"]["desiredStatus"]), (200, &json!("STOPPED")));
        let task = until_status(&aws, Status::Stopped).await;
        assert_eq!((task.exit_code, task.stop_code), (Some(code), Some(StopCode::UserInitiated)));
        assert_eq!(task.stopped_reason.as_deref(), Some("enough"));
    }
}

#[tokio::test]
async fn a_task_that_is_not_there_cannot_be_stopped() {
    let aws = server("exit 0").await;
    let (status, answer) = call(&aws, "StopTask", json!({"cluster": "gitdeploy", "task": "0123"})).await;
    assert_eq!((status, &answer["message"]), (400, &json!("The referenced task was not found.")));
    let (status, answer) = call(&aws, "StopTask", json!({"task": "0123"})).await;
    assert_eq!((status, &answer["__type"]), (400, &json!("ClusterNotFoundException")));
}

#[tokio::test]
async fn tasks_are_described_in_hundreds_until_they_are_forgotten() {
    let aws = server("exit 0").await;
    let arn = run(&aws).await;
    until_status(&aws, Status::Stopped).await;
    let describe = |tasks: Vec<String>| json!({"cluster": "gitdeploy", "tasks": tasks, "include": ["TAGS"]});
    let (status, answer) =
        call(&aws, "DescribeTasks", describe(vec![arn.clone(), "missing".to_owned()])).await;
    assert_eq!(status, 200);
    assert_eq!((&answer["tasks"][0]["taskArn"], &answer["tasks"][0]["tags"]), (&json!(arn), &json!([])));
    let missing = aws.cluster().arn().replace(":cluster/", ":task/") + "/missing";
    assert_eq!(answer["failures"], json!([{"arn": missing, "reason": "MISSING"}]));
    let (status, answer) = call(&aws, "DescribeTasks", describe(vec![arn.clone(); 101])).await;
    assert_eq!((status, &answer["__type"]), (400, &json!("InvalidParameterException")));
    aws.forget_stopped();
    let (_, answer) = call(&aws, "DescribeTasks", describe(vec![arn.clone()])).await;
    assert_eq!((&answer["tasks"], &answer["failures"][0]["arn"]), (&json!([]), &json!(arn)));
    assert_eq!(aws.tasks().len(), 1);
}

#[tokio::test]
async fn tasks_are_listed_by_page_and_filter() {
    let aws = server("sleep 60").await;
    for by in ["a", "b"] {
        let (_, answer) = call(&aws, "RunTask", with(json!({"count": 2, "startedBy": by}))).await;
        assert_eq!(answer["tasks"].as_array().unwrap().len(), 2);
    }
    let list = async |members: Value| {
        let mut body = json!({"cluster": "gitdeploy"});
        for (name, value) in members.as_object().unwrap() {
            body[name] = value.clone();
        }
        let (status, answer) = call(&aws, "ListTasks", body).await;
        assert_eq!(status, 200, "{answer}");
        (answer["taskArns"].as_array().unwrap().clone(), answer["nextToken"].clone())
    };
    let arns: Vec<Value> = aws.tasks().iter().map(|task| json!(task.arn)).collect();
    assert_eq!(list(json!({})).await, (arns.clone(), Value::Null));
    assert_eq!(list(json!({"startedBy": "b"})).await.0, arns[2..]);
    assert_eq!(list(json!({"family": "gitdeploy-builder"})).await.0, arns);
    assert!(list(json!({"family": "other"})).await.0.is_empty());
    let (first, token) = list(json!({"maxResults": 3})).await;
    assert_eq!(first, arns[..3]);
    assert_eq!(list(json!({"maxResults": 3, "nextToken": token})).await, (arns[3..].to_vec(), Value::Null));
    assert!(list(json!({"desiredStatus": "STOPPED"})).await.0.is_empty());
    call(&aws, "StopTask", json!({"cluster": "gitdeploy", "task": arns[0]})).await;
    assert_eq!(list(json!({"desiredStatus": "STOPPED"})).await.0, arns[..1]);
    assert_eq!(list(json!({})).await.0, arns[1..]);
}

#[tokio::test]
async fn more_calls_than_the_rate_allows_are_throttled() {
    let aws = server("exit 0").await;
    aws.throttle(Rate { burst: 2, per_second: 0.0 });
    for expected in [200, 200, 400] {
        let (status, answer) = call(&aws, "RunTask", run_request()).await;
        assert_eq!(status, expected);
        assert_eq!(answer["__type"].as_str(), (status == 400).then_some("ThrottlingException"));
    }
    aws.throttle(None);
    run(&aws).await;
}

#[tokio::test]
async fn failures_on_demand() {
    let aws = server("exit 0").await;
    aws.fail_launches("RESOURCE:MEMORY", 1);
    let (status, answer) = call(&aws, "RunTask", run_request()).await;
    assert_eq!((status, &answer["tasks"]), (200, &json!([])));
    assert_eq!(answer["failures"][0]["reason"], "RESOURCE:MEMORY");
    aws.refuse(1);
    let (status, answer) = call(&aws, "RunTask", run_request()).await;
    assert_eq!((status, &answer["__type"]), (400, &json!("AccessDeniedException")));
    aws.fail("RunTask", Fault::Unavailable, usize::MAX);
    let (status, answer) = call(&aws, "RunTask", run_request()).await;
    assert_eq!((status, &answer["__type"]), (500, &json!("ServerException")));
    aws.clear_faults();
    run(&aws).await;
}

#[tokio::test]
async fn a_lost_answer_leaves_the_task() {
    let aws = server("exit 0").await;
    aws.lose_answers(1);
    let lost = reqwest::Client::new()
        .post(aws.endpoint())
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "AmazonEC2ContainerServiceV20141113.RunTask")
        .header("authorization", format!("AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/x"))
        .body(run_request().to_string())
        .send()
        .await;
    assert!(lost.is_err());
    assert_eq!(aws.tasks().len(), 1);
}

#[tokio::test]
async fn fates() {
    let short = Duration::from_millis(50);
    let table = [
        (Fate::CannotPullImage, StopCode::TaskFailedToStart, "CannotPullContainerError", None),
        (Fate::ResourceInitialization, StopCode::TaskFailedToStart, "ResourceInitializationError", None),
        (
            Fate::OutOfMemory { after: short },
            StopCode::EssentialContainerExited,
            "Essential container",
            Some(137),
        ),
        (Fate::Spot { after: short }, StopCode::SpotInterruption, "Your Spot Task", Some(143)),
    ];
    for (fate, code, reason, exit) in table {
        let aws = server("exec sleep 60").await;
        aws.next_task(fate);
        run(&aws).await;
        let task = until_status(&aws, Status::Stopped).await;
        assert_eq!((task.stop_code, task.exit_code), (Some(code), exit), "{fate:?}");
        assert!(task.stopped_reason.as_ref().unwrap().starts_with(reason), "{task:?}");
        let out_of_memory =
            task.container_reason.is_some_and(|reason| reason.starts_with("OutOfMemoryError"));
        assert_eq!(out_of_memory, matches!(fate, Fate::OutOfMemory { .. }));
    }
}

#[tokio::test]
async fn what_is_told_to_a_task() {
    let aws = server("echo up; exec sleep 60").await;
    aws.next_task(Fate::NeverStarts);
    for _ in 0..4 {
        run(&aws).await;
    }
    let tasks = aws.until(LIMIT, |tasks| tasks[1..].iter().all(|task| task.output == ["up"])).await;
    assert_eq!(tasks[0].status, Status::Pending);
    aws.interrupt(&tasks[0].arn, StopCode::UserInitiated);
    aws.interrupt(tasks[1].id(), StopCode::SpotInterruption);
    aws.lose(&tasks[2].arn, StopCode::TerminationNotice, "Host EC2 (instance i-1) terminated.");
    aws.out_of_memory(&tasks[3].arn);
    let tasks = aws.until(LIMIT, |tasks| tasks.iter().all(|task| task.status == Status::Stopped)).await;
    let codes: Vec<_> = tasks.iter().map(|task| task.exit_code).collect();
    assert_eq!(codes, [None, Some(143), None, Some(137)]);
}

#[tokio::test]
async fn all_processes_end_with_the_server() {
    let aws = server("setsid sleep 60 & echo up; wait").await;
    run(&aws).await;
    until_said(&aws, "up").await;
    let parent = aws.tasks()[0].process.unwrap();
    let child = loop {
        let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
        if let Some(child) = children.split_whitespace().next() {
            break child.parse().unwrap();
        }
    };
    drop(aws);
    let gone = async {
        while kill(Pid::from_raw(child), None).is_ok() {
            // A dead child whose parent is dead too is not waited for by everybody who adopts it.
            let state = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            if state.is_empty() || state.contains(") Z") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(LIMIT, gone).await.unwrap();
}

#[tokio::test]
async fn only_the_own_key_may_call() {
    let aws = server("exit 0").await;
    for (key, kind) in
        [(None, "MissingAuthenticationTokenException"), (Some("other"), "UnrecognizedClientException")]
    {
        let mut request = reqwest::Client::new()
            .post(aws.endpoint())
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "AmazonEC2ContainerServiceV20141113.RunTask");
        if let Some(key) = key {
            request = request.header("authorization", format!("AWS4-HMAC-SHA256 Credential={key}/x"));
        }
        let answer = request.body(run_request().to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 400);
        assert_eq!(answer.json::<Value>().await.unwrap()["__type"], kind);
    }
    assert!(aws.tasks().is_empty());
}
