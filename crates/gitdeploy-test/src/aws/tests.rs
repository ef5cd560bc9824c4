//! What the server does, asked as any client would ask it.

use std::path::PathBuf;

use serde_json::json;

use super::*;

mod ecs;
mod sqs;
mod sts;

const LIMIT: Duration = Duration::from_secs(20);

/// A cluster whose tasks run a script of the shell.
fn cluster(script: &str) -> Cluster {
    Cluster {
        arguments: vec!["-c".to_owned(), script.to_owned()],
        environment: vec![
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("FROM".to_owned(), "task".to_owned()),
        ],
        stop_timeout: Duration::from_millis(300),
        ..Cluster::of(PathBuf::from("/bin/sh"))
    }
}

async fn server(script: &str) -> Aws {
    Aws::start(cluster(script)).await.unwrap()
}

/// A call in JSON, and the status and body of its answer.
async fn call(aws: &Aws, operation: &str, body: Value) -> (u16, Value) {
    let (target, version) = match operation {
        "RunTask" | "StopTask" | "DescribeTasks" | "ListTasks" => {
            ("AmazonEC2ContainerServiceV20141113", "1.1")
        }
        _ => ("AmazonSQS", "1.0"),
    };
    let answer = reqwest::Client::new()
        .post(aws.endpoint())
        .header("content-type", format!("application/x-amz-json-{version}"))
        .header("x-amz-target", format!("{target}.{operation}"))
        .header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20260101/us-east-1/x/aws4_request"),
        )
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    assert!(answer.headers().contains_key("x-amzn-requestid"));
    (answer.status().as_u16(), serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

/// A request that is carried out.
fn run_request() -> Value {
    json!({
        "cluster": "gitdeploy",
        "taskDefinition": "gitdeploy-builder",
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
    })
}

/// [`run_request`] with other members.
#[expect(clippy::needless_pass_by_value, reason = "it reads better with a literal")]
fn with(members: Value) -> Value {
    let mut request = run_request();
    for (name, value) in members.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

/// Runs a task and returns its ARN.
async fn run(aws: &Aws) -> String {
    let (status, answer) = call(aws, "RunTask", run_request()).await;
    assert_eq!((status, &answer["failures"]), (200, &json!([])), "{answer}");
    answer["tasks"][0]["taskArn"].as_str().unwrap().to_owned()
}

async fn until_status(aws: &Aws, status: Status) -> Task {
    aws.until(LIMIT, |tasks| tasks.first().is_some_and(|task| task.status == status)).await.remove(0)
}

async fn until_said(aws: &Aws, line: &str) {
    aws.until(LIMIT, |tasks| tasks[0].output.iter().any(|said| said == line)).await;
}

/// All events that are in the queue, in the order of their arrival.
async fn events(aws: &Aws) -> Vec<Value> {
    let mut events = Vec::new();
    loop {
        let (_, answer) = call(
            aws,
            "ReceiveMessage",
            json!({"QueueUrl": aws.queue_url(), "MaxNumberOfMessages": 10, "WaitTimeSeconds": 1}),
        )
        .await;
        let Some(messages) = answer["Messages"].as_array() else { return events };
        events.extend(
            messages
                .iter()
                .map(|message| serde_json::from_str::<Value>(message["Body"].as_str().unwrap()).unwrap()),
        );
    }
}
