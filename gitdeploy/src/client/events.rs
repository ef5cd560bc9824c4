//! The events of a deployment, followed across lost connections.

use std::time::Duration;

use gitdeploy_bus::Position;
use reqwest::{Method, Response};
use upload_service::api::{DeploymentView, LogEvent};

use super::{Client, ClientError, segment};

/// How often a lost connection is made again in a row, and the pause before.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// The events of a deployment.
#[derive(Debug)]
pub(crate) struct Events<'a> {
    client: &'a Client,
    id: String,
    follow: bool,
    /// The place of the last event that was returned.
    place: Position,
    /// Whether this connection has brought anything.
    is_fruitful: bool,
    response: Option<Response>,
    buffer: Vec<u8>,
    failures: u32,
    ended: bool,
}

impl Client {
    /// The events of a deployment after `from`. With `follow`, up to its end.
    pub(crate) fn events(&self, id: &str, from: Position, follow: bool) -> Events<'_> {
        Events {
            client: self,
            id: segment(id),
            follow,
            place: from,
            is_fruitful: false,
            response: None,
            buffer: Vec::new(),
            failures: 0,
            ended: false,
        }
    }
}

impl Events<'_> {
    /// The next event, or nothing at the end. Every event is returned once and in order, however often the
    /// connection is lost.
    pub(crate) async fn next(&mut self) -> Result<Option<LogEvent>, ClientError> {
        while !self.ended {
            if let Some(event) = self.take_line()? {
                self.ended = event.event.end().is_some();
                if event.position() > self.place {
                    self.place = event.position();
                    self.is_fruitful = true;
                    return Ok(Some(event));
                }
                continue;
            }
            match self.read().await {
                Ok(true) => self.failures = 0,
                Ok(false) if !self.follow => return Ok(None),
                // Of a deployment that has come to its end no more is to be had.
                Ok(false) if !self.is_fruitful && self.is_final().await? => return Ok(None),
                Ok(false) => self.lose(None).await?,
                Err(error) if error.is_away() => self.lose(Some(error)).await?,
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn take_line(&mut self) -> Result<Option<LogEvent>, ClientError> {
        let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        serde_json::from_slice(&line).map(Some).map_err(ClientError::Event)
    }

    /// Reads on. False: the answer is over.
    async fn read(&mut self) -> Result<bool, ClientError> {
        let response = if let Some(response) = &mut self.response {
            response
        } else {
            let path = format!("v1/deployments/{}/logs", self.id);
            let query = [("from", self.place.to_string()), ("follow", self.follow.to_string())];
            let request = self.client.request(Method::GET, &path).query(&query);
            let request = request.header("accept", "application/x-ndjson");
            self.response.insert(self.client.send(request).await?)
        };
        match response.chunk().await {
            Ok(Some(chunk)) => {
                self.buffer.extend_from_slice(&chunk);
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) => Err(ClientError::away(&self.client.api, error)),
        }
    }

    async fn is_final(&self) -> Result<bool, ClientError> {
        let request = self.client.request(Method::GET, &format!("v1/deployments/{}", self.id));
        Ok(self.client.json::<DeploymentView>(request).await?.state.is_final())
    }

    /// Gives the connection up and waits before the next.
    async fn lose(&mut self, error: Option<ClientError>) -> Result<(), ClientError> {
        self.response = None;
        self.buffer.clear();
        self.is_fruitful = false;
        self.failures += 1;
        match error {
            Some(error) if self.failures >= TRIES => Err(error),
            _ => {
                tokio::time::sleep(PAUSE).await;
                Ok(())
            }
        }
    }
}
