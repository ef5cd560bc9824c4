use super::*;

async fn sqs(aws: &Aws, operation: &str, members: Value) -> (u16, Value) {
    let mut body = json!({"QueueUrl": aws.queue_url()});
    for (name, value) in members.as_object().unwrap() {
        body[name] = value.clone();
    }
    call(aws, operation, body).await
}

#[tokio::test]
async fn a_message_is_hidden_while_it_is_held_and_comes_again_until_it_is_deleted() {
    let aws = server("exit 0").await;
    aws.send("hello");
    let (_, first) =
        sqs(&aws, "ReceiveMessage", json!({"VisibilityTimeout": 1, "MessageSystemAttributeNames": ["All"]}))
            .await;
    let message = &first["Messages"][0];
    assert_eq!(
        (&message["Body"], &message["Attributes"]["ApproximateReceiveCount"]),
        (&json!("hello"), &json!("1"))
    );
    assert_eq!(aws.messages(), (0, 1));
    let (_, hidden) = sqs(&aws, "ReceiveMessage", json!({})).await;
    assert_eq!(hidden, json!({}));
    let (_, again) = sqs(&aws, "ReceiveMessage", json!({"WaitTimeSeconds": 20})).await;
    let receipt = again["Messages"][0]["ReceiptHandle"].clone();
    assert_ne!(receipt, message["ReceiptHandle"]);
    let (status, _) = sqs(&aws, "DeleteMessage", json!({"ReceiptHandle": message["ReceiptHandle"]})).await;
    assert_eq!((status, aws.messages()), (200, (0, 1)), "an old receipt deletes nothing");
    let (status, _) =
        sqs(&aws, "ChangeMessageVisibility", json!({"ReceiptHandle": receipt, "VisibilityTimeout": 0})).await;
    assert_eq!((status, aws.messages()), (200, (1, 0)));
    let (status, _) = sqs(&aws, "DeleteMessage", json!({"ReceiptHandle": receipt})).await;
    assert_eq!((status, aws.messages()), (200, (0, 0)));
    let (status, answer) = sqs(&aws, "DeleteMessage", json!({"ReceiptHandle": "nonsense"})).await;
    assert_eq!((status, &answer["__type"]), (400, &json!("com.amazonaws.sqs#ReceiptHandleIsInvalid")));
}

#[tokio::test]
async fn a_long_poll_ends_with_a_message() {
    let aws = server("exit 0").await;
    let poll = sqs(&aws, "ReceiveMessage", json!({"WaitTimeSeconds": 20}));
    let send = async {
        aws.until(LIMIT, |_| aws.requests("ReceiveMessage") == 1).await;
        sqs(&aws, "SendMessage", json!({"MessageBody": "late"})).await
    };
    let ((_, received), (status, other)) = timeout(LIMIT, async { tokio::join!(poll, send) }).await.unwrap();
    assert_eq!((status, &other["MessageId"]), (200, &received["Messages"][0]["MessageId"]));
}

#[tokio::test]
async fn a_batch_is_deleted_one_by_one() {
    let aws = server("exit 0").await;
    aws.send("a");
    let (_, received) = sqs(&aws, "ReceiveMessage", json!({})).await;
    let entries = json!([
        {"Id": "1", "ReceiptHandle": received["Messages"][0]["ReceiptHandle"]}, {"Id": "2", "ReceiptHandle": "nonsense"},
    ]);
    let (status, answer) = sqs(&aws, "DeleteMessageBatch", json!({"Entries": entries})).await;
    assert_eq!((status, &answer["Successful"]), (200, &json!([{"Id": "1"}])));
    assert_eq!(answer["Failed"][0]["Code"], "ReceiptHandleIsInvalid");
    assert_eq!(aws.messages(), (0, 0));
    for entries in [json!([]), json!([entries[0], entries[0]]), vec![entries[0].clone(); 11].into()] {
        assert_eq!(sqs(&aws, "DeleteMessageBatch", json!({"Entries": entries})).await.0, 400);
    }
}

#[tokio::test]
async fn what_sqs_refuses_is_refused() {
    let aws = server("exit 0").await;
    for members in [
        json!({"MaxNumberOfMessages": 11}),
        json!({"MaxNumberOfMessages": 0}),
        json!({"WaitTimeSeconds": 21}),
    ] {
        let (status, answer) = sqs(&aws, "ReceiveMessage", members).await;
        assert_eq!((status, &answer["__type"]), (400, &json!("com.amazonaws.sqs#InvalidParameterValue")));
    }
    let (status, answer) = sqs(&aws, "ReceiveMessage", json!({"QueueUrl": "http://127.0.0.1/1/other"})).await;
    assert_eq!((status, &answer["__type"]), (400, &json!("com.amazonaws.sqs#QueueDoesNotExist")));
    let (_, answer) =
        sqs(&aws, "GetQueueAttributes", json!({"AttributeNames": ["ApproximateNumberOfMessages"]})).await;
    assert_eq!(answer, json!({"Attributes": {"ApproximateNumberOfMessages": "0"}}));
}

#[tokio::test]
async fn events_may_be_doubled_lost_and_out_of_order() {
    let aws = server("exit 0").await;
    aws.drop_events(true);
    run(&aws).await;
    until_status(&aws, Status::Stopped).await;
    assert_eq!(aws.messages(), (0, 0));
    aws.drop_events(false);
    aws.duplicate_events(true);
    aws.shuffle_events(true);
    for _ in 0..8 {
        run(&aws).await;
    }
    let stopped = |tasks: &[Task]| tasks.iter().all(|task| task.status == Status::Stopped);
    aws.until(LIMIT, stopped).await;
    let events = events(&aws).await;
    assert_eq!(events.len(), 8 * 5 * 2);
    let versions = |arn: &str| -> Vec<u64> {
        let of_task = events.iter().filter(|event| event["detail"]["taskArn"] == arn);
        of_task.map(|event| event["detail"]["version"].as_u64().unwrap()).collect()
    };
    assert!(aws.tasks()[1..].iter().any(|task| !versions(&task.arn).is_sorted()));
}
